//! Branches and tags as git has them on disk: asked for with nearly every request, so that starting a program for them
//! would be most of what the forge does.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Branches and tags: full name → object id. Blocks shortly.
pub fn read(repository: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut refs = BTreeMap::new();
    match std::fs::read_to_string(repository.join("packed-refs")) {
        Ok(packed) => {
            // Comments begin with `#`, what a tag points to with `^`.
            let lines = packed.lines().filter(|line| !line.starts_with(['#', '^']));
            refs.extend(lines.filter_map(|line| {
                let (id, name) = line.split_once(' ')?;
                is_listed(name).then(|| (name.to_owned(), id.to_owned()))
            }));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // What stands alone is newer than what is packed.
    for kind in ["refs/heads", "refs/tags"] {
        walk(repository, kind, &mut refs)?;
    }
    Ok(refs)
}

fn is_listed(name: &str) -> bool {
    name.starts_with("refs/heads/") || name.starts_with("refs/tags/")
}

fn walk(repository: &Path, name: &str, refs: &mut BTreeMap<String, String>) -> io::Result<()> {
    let entries = match std::fs::read_dir(repository.join(name)) {
        Ok(entries) => entries,
        // A folder goes with the last branch in it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        let name = format!("{name}/{file}");
        if entry.file_type()?.is_dir() {
            walk(repository, &name, refs)?;
            continue;
        }
        // A lock is not a ref; what has gone meanwhile is none any more.
        let Ok(id) = std::fs::read_to_string(entry.path()) else {
            continue;
        };
        let id = id.trim();
        if !file.ends_with(".lock") && id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            refs.insert(name, id.to_owned());
        }
    }
    Ok(())
}
