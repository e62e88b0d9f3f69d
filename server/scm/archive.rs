//! Unpacks the archive of a repository in memory: bounded, and with nothing that leaves its own folder.

use std::io::Read;
use std::path::{Component, Path};

use axum::body::Bytes;
use flate2::read::GzDecoder;

use super::TreeFile;

/// Files, links and folders of one archive.
const ENTRY_LIMIT: usize = 100_000;
/// Room for headers and padding beside the content.
const OVERHEAD: u64 = 64 * 1024 * 1024;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// More content or entries than allowed.
    #[error("the archive holds more than allowed")]
    TooLarge,
    #[error("{0}")]
    Broken(String),
}

/// Bytes of an archive that may hold `limit` bytes: content that does not compress makes it a little larger than itself.
pub(super) fn packed_limit(limit: u64) -> u64 {
    limit.saturating_add(limit / 8).saturating_add(1024 * 1024)
}

/// As [`unpack`], off the threads that serve requests.
pub(super) async fn unpack_apart(archive: Bytes, limit: u64) -> Result<Vec<TreeFile>, ArchiveError> {
    tokio::task::spawn_blocking(move || unpack(&archive, limit))
        .await
        .unwrap_or_else(|error| Err(ArchiveError::Broken(error.to_string())))
}

/// Reads a `tar.gz` (or plain tar, where a proxy has inflated it already) whose single top folder is
/// dropped, as `git archive --prefix` makes it. At most `limit` bytes of content; files come in the archive's order.
pub fn unpack(archive: &[u8], limit: u64) -> Result<Vec<TreeFile>, ArchiveError> {
    let reader: Box<dyn Read + '_> = if archive.starts_with(&[0x1f, 0x8b]) {
        Box::new(GzDecoder::new(archive))
    } else {
        Box::new(archive)
    };
    let mut tar = tar::Archive::new(reader.take(limit.saturating_add(OVERHEAD)));
    let mut files = Vec::new();
    let mut left = limit;
    for (count, entry) in tar.entries().map_err(broken)?.enumerate() {
        if count >= ENTRY_LIMIT {
            return Err(ArchiveError::TooLarge);
        }
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        if !kind.is_file() && !kind.is_symlink() {
            if kind.is_dir() || kind.is_pax_global_extensions() {
                continue;
            }
            return Err(ArchiveError::Broken(format!(
                "an entry is of type {kind:?}, which git does not make"
            )));
        }
        let Some(path) = confined(&entry.path().map_err(broken)?)? else {
            continue;
        };
        if kind.is_symlink() {
            let target = entry.link_name().map_err(broken)?;
            let target = target.as_deref().and_then(Path::to_str);
            let target =
                target.ok_or_else(|| ArchiveError::Broken(format!("the link {path} has no readable target")))?;
            files.push(TreeFile {
                path,
                executable: false,
                link: Some(target.to_owned()),
                content: Bytes::new(),
            });
            continue;
        }
        let size = entry.size();
        left = left.checked_sub(size).ok_or(ArchiveError::TooLarge)?;
        // Not reserved by the claimed size: a header can lie.
        let mut content = Vec::new();
        entry.by_ref().take(size).read_to_end(&mut content).map_err(broken)?;
        if content.len() as u64 != size {
            return Err(ArchiveError::Broken(format!("{path} is cut off")));
        }
        files.push(TreeFile {
            path,
            executable: entry.header().mode().map_err(broken)? & 0o111 != 0,
            link: None,
            content: content.into(),
        });
    }
    Ok(files)
}

/// The path below the top folder, or `None` for the top folder itself.
fn confined(path: &Path) -> Result<Option<String>, ArchiveError> {
    let outside = || ArchiveError::Broken(format!("the entry {} leaves the archive's folder", path.display()));
    let mut segments = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(segment) => {
                let segment = segment
                    .to_str()
                    .ok_or_else(|| ArchiveError::Broken(format!("the file name {} is not UTF-8", path.display())))?;
                segments.push(segment);
            }
            _ => return Err(outside()),
        }
    }
    Ok(match segments.as_slice() {
        [] | [_] => None,
        [_, rest @ ..] => Some(rest.join("/")),
    })
}

fn broken(error: std::io::Error) -> ArchiveError {
    ArchiveError::Broken(format!("the archive cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    enum Item<'a> {
        File(&'a str, &'a [u8], u32),
        Link(&'a str, &'a str),
        Folder(&'a str),
    }

    fn tar_of(items: &[Item<'_>]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for item in items {
            let mut header = tar::Header::new_gnu();
            let (path, content, kind, mode) = match item {
                Item::File(path, content, mode) => (*path, *content, tar::EntryType::Regular, *mode),
                Item::Link(path, _) => (*path, &b""[..], tar::EntryType::Symlink, 0o777),
                Item::Folder(path) => (*path, &b""[..], tar::EntryType::Directory, 0o755),
            };
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_size(content.len() as u64);
            // Written past the checks of the builder, as an attacker would.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            if let Item::Link(_, target) = item {
                header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
            }
            header.set_cksum();
            tar.append(&header, content).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_top_folder_is_dropped_and_modes_are_kept() {
        let tar = tar_of(&[
            Item::Folder("demo/"),
            Item::File("demo/a.txt", b"a", 0o644),
            Item::File("demo/bin/run", b"#!", 0o755),
            Item::Link("demo/link", "../../etc/passwd"),
        ]);
        for archive in [gzip(&tar), tar] {
            let files = unpack(&archive, 3).unwrap();
            let shown: Vec<_> = files
                .iter()
                .map(|f| (f.path.as_str(), f.executable, f.link.as_deref(), f.content.as_ref()))
                .collect();
            assert_eq!(
                shown,
                [
                    ("a.txt", false, None, &b"a"[..]),
                    ("bin/run", true, None, &b"#!"[..]),
                    ("link", false, Some("../../etc/passwd"), &b""[..]),
                ]
            );
            assert!(matches!(unpack(&archive, 2), Err(ArchiveError::TooLarge)));
        }
    }

    #[test]
    fn entries_that_leave_the_folder_are_refused() {
        for path in ["demo/../../x", "/etc/passwd", "../x", "demo/a/../../../x"] {
            let archive = gzip(&tar_of(&[Item::File(path, b"x", 0o644)]));
            assert!(matches!(unpack(&archive, 100), Err(ArchiveError::Broken(_))), "{path}");
        }
    }

    #[test]
    fn broken_archives_are_errors() {
        let good = gzip(&tar_of(&[Item::File("demo/a.txt", &[7; 5000], 0o644)]));
        let cases: [&[u8]; 3] = [
            &good[..good.len() / 2],
            b"<html>not an archive</html>",
            &[0x1f, 0x8b, 0, 0],
        ];
        for bytes in cases {
            assert!(
                matches!(unpack(bytes, 10_000), Err(ArchiveError::Broken(_))),
                "{} bytes",
                bytes.len()
            );
        }
    }

    #[test]
    fn a_bomb_is_stopped_by_the_limit() {
        let bomb = gzip(&tar_of(&[Item::File("demo/zeros", &vec![0; 4 << 20], 0o644)]));
        assert!(bomb.len() < 64 * 1024);
        assert!(matches!(unpack(&bomb, 1 << 20), Err(ArchiveError::TooLarge)));
    }
}
