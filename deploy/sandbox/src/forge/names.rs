//! What may be called how: accounts, repositories, branches, files. Nothing else becomes part of a path or an argument.

/// Whether an account or repository may be called so: letters, digits, `.`, `_`, `-`, no dots in a row, not the names
/// that Gitea reserves because its own pages have them.
pub fn is_name(name: &str) -> bool {
    const RESERVED: [&str; 14] = [
        ".",
        "..",
        "-",
        "api",
        "assets",
        "gitea",
        "explore",
        "user",
        "org",
        "repo",
        "login",
        "admin",
        "sandbox",
        "style.css",
    ];
    let lower = name.to_lowercase();
    (1..=100).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !name.starts_with(['-', '.'])
        && !name.contains("..")
        && !RESERVED.contains(&lower.as_str())
        && ![".git", ".wiki", ".rss", ".atom", ".lock"]
            .iter()
            .any(|end| lower.ends_with(end))
}

/// Whether a branch or tag may be called so (git-check-ref-format).
pub fn is_ref_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(['-', '/', '.'])
        && !name.ends_with(['/', '.'])
        && !name.contains("..")
        && !name.contains("//")
        && !name.contains("/.")
        && !name.contains("@{")
        && name != "@"
        && !name.split('/').any(|part| part.ends_with(".lock"))
        && !name
            .chars()
            .any(|letter| letter.is_control() || " ~^:?*[\\".contains(letter))
}

/// Whether a file may be at this path: relative, no empty parts, no `.`, `..` or `.git` in it.
pub fn is_file_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 4096
        && !path.contains(['\0', '\\'])
        && path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        for good in [
            "demo",
            "giteaAdmin",
            "idpbuilder-localdev-backstage-templates-entities",
            "a.b_c-1",
        ] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "", ".", "..", "a/b", "a..b", "-x", ".git", "x.git", "x.wiki", "a b", "ä", "api", "a\0", "%2e%2e",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn names_and_paths_that_git_would_not_take() {
        for good in ["main", "feature/a-b", "v1.0"] {
            assert!(is_ref_name(good), "{good}");
        }
        for bad in [
            "", "-x", "a..b", "a b", "a^", "../x", "a/.b", "x.lock", "@", "a@{1}", "a\n", "/a", "a/",
        ] {
            assert!(!is_ref_name(bad), "{bad}");
        }
        for good in ["a", "a/b.txt", ".github/x", "a b"] {
            assert!(is_file_path(good), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            ".git/config",
            "x/.GIT/y",
            "a\\b",
            ".",
        ] {
            assert!(!is_file_path(bad), "{bad}");
        }
    }
}
