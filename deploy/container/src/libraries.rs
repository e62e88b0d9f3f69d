//! The shared libraries that a program of this machine needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// All libraries of a program, with the loader, as the machine's own loader finds them.
///
/// # Errors
/// Where one is missing on this machine, or the loader does not take the program.
pub fn of(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let output = Command::new("ldd")
        .arg(program)
        // Somebody's own libraries are none of the system's.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("LD_PRELOAD")
        .env("LC_ALL", "C")
        .output()
        .context("cannot run ldd (Debian: apt install libc-bin)")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() && !text.contains("statically linked") {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("ldd does not take {}: {text}{reason}", program.display());
    }
    read(&text).with_context(|| format!("{} cannot run on this machine", program.display()))
}

fn read(text: &str) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        let library = match line.split_once(" => ") {
            Some((name, "not found")) => bail!("the library {name} is missing"),
            Some((_, path)) => path,
            None => line,
        };
        // The kernel's own has no file.
        let Some((path, _)) = library.split_once(" (") else {
            continue;
        };
        if path.starts_with('/') {
            found.insert(PathBuf::from(path));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_ldd_is_read() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007fa8)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fa7)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007fa9)\n";
        let found: Vec<PathBuf> = read(text).unwrap().into_iter().collect();
        let wanted = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib/x86_64-linux-gnu/libz.so.1",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(found, wanted.map(PathBuf::from));
        assert!(read("\tstatically linked\n").unwrap().is_empty());
    }

    #[test]
    fn a_missing_library_is_named() {
        let error = read("\tlibssl.so.1.1 => not found\n").unwrap_err().to_string();
        assert!(error.contains("libssl.so.1.1"), "{error}");
    }
}
