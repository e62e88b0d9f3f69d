//! Programs that are run to their end.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// What a command prints.
///
/// # Errors
/// When it fails, with the end of what it said.
pub async fn output(command: &mut Command) -> Result<String> {
    const LAST_LINES: usize = 15;
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    // The one line that says what is refused must not be lost among others.
    let refused: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| line.contains("403 Forbidden") || line.contains("status code: 403"))
        .collect();
    if let Some(line) = refused.first() {
        bail!("a registry refuses a package: {}", line.trim());
    }
    let tail: String = lines[lines.len().saturating_sub(LAST_LINES)..]
        .iter()
        .map(|line| format!("\n    {line}"))
        .collect();
    bail!("{program} ended with {}:{tail}", output.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_package_is_named() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo one >&2; echo 'go: x.example/y@v1: reading it: 403 Forbidden' >&2; exit 1",
        ]);
        let error = output(&mut command).await.expect_err("failed").to_string();
        assert_eq!(
            error,
            "a registry refuses a package: go: x.example/y@v1: reading it: 403 Forbidden"
        );
    }
}
