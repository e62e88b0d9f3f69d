// Argo CD's parts that a portal meets, in one program, chosen by the name it is called by.
package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	askpass "github.com/argoproj/argo-cd/v3/cmd/argocd-git-ask-pass/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	apiserver "github.com/argoproj/argo-cd/v3/cmd/argocd-server/commands"
	"github.com/argoproj/argo-cd/v3/util/log"
)

func init() { klog.SetLogger(log.NewLogrusLogger(log.NewWithCurrentConfig())) }

func main() {
	var command *cobra.Command
	name := filepath.Base(os.Args[0])
	// The repo server has git ask for passwords by one name for all, and says here which part it means.
	if part := os.Getenv("ARGOCD_BINARY_NAME"); part != "" {
		name = part
	}
	switch name {
	case "argocd-application-controller":
		command = controller.NewCommand()
	case "argocd-repo-server":
		command = reposerver.NewCommand()
	case "argocd-server":
		command = apiserver.NewCommand()
	case "argocd-git-ask-pass":
		command = askpass.NewCommand()
	default:
		os.Stderr.WriteString(name + ": call this by the name of a part of Argo CD, e.g. argocd-server\n")
		os.Exit(2)
	}
	if command.Execute() != nil {
		os.Exit(1)
	}
}
