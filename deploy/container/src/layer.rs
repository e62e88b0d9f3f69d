//! A layer: a tree of files as a tar that gzip has packed, the same bytes for the same tree.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

use crate::files::{Entry, Files};

/// A packed layer.
pub struct Layer {
    pub packed: Vec<u8>,
    /// Digest of what is packed.
    pub unpacked_digest: String,
}

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A tree as a tar; everything in it belongs to root and was changed at `time` (seconds).
///
/// # Errors
/// Where a name is too long for a tar.
pub fn plain(files: &Files, time: u64) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, entry) in files.iter() {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        let wrong = || format!("/{path} cannot be put into a layer");
        match entry {
            Entry::Folder(mode) => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(*mode);
                header.set_size(0);
                tar.append_data(&mut header, format!("{path}/"), std::io::empty())
                    .with_context(wrong)?;
            }
            Entry::File(mode, bytes) => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(*mode);
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, path, bytes.as_slice())
                    .with_context(wrong)?;
            }
            Entry::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                tar.append_link(&mut header, path, target).with_context(wrong)?;
            }
        }
    }
    tar.into_inner().context("a layer cannot be finished")
}

/// Packs a tree, as [`plain`] writes it.
///
/// # Errors
/// As [`plain`].
pub fn pack(files: &Files, time: u64) -> Result<Layer> {
    let tar = plain(files, time)?;
    // Neither a name nor a time in gzip's header.
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    gzip.write_all(&tar).context("a layer cannot be packed")?;
    Ok(Layer {
        packed: gzip.finish().context("a layer cannot be packed")?,
        unpacked_digest: digest(&tar),
    })
}

/// The tar in a packed layer, up to `limit` bytes.
///
/// # Errors
/// Where it is not what gzip writes, or larger.
pub fn unpack(packed: &[u8], limit: u64) -> Result<Vec<u8>> {
    let mut tar = Vec::new();
    MultiGzDecoder::new(packed)
        .take(limit + 1)
        .read_to_end(&mut tar)
        .context("a layer cannot be unpacked")?;
    anyhow::ensure!(tar.len() as u64 <= limit, "a layer is larger than {limit} bytes");
    Ok(tar)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Files {
        let mut files = Files::default();
        files.text("/etc/passwd", "root").unwrap();
        files.put("/bin", Entry::Link("usr/bin".to_owned())).unwrap();
        files.put("/tmp", Entry::Folder(0o1777)).unwrap();
        files
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes_and_comes_back() {
        let (first, second) = (pack(&tree(), 1000).unwrap(), pack(&tree(), 1000).unwrap());
        assert!(first.packed == second.packed, "two runs differ");
        assert_ne!(first.packed, pack(&tree(), 1001).unwrap().packed);
        let tar = unpack(&first.packed, 1 << 20).unwrap();
        assert_eq!(digest(&tar), first.unpacked_digest);
        let mut archive = tar::Archive::new(tar.as_slice());
        let found: Vec<(String, u32, u64, u64)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().display().to_string();
                (
                    path,
                    header.mode().unwrap(),
                    header.uid().unwrap(),
                    header.mtime().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("bin".to_owned(), 0o777, 0, 1000),
                ("etc/".to_owned(), 0o755, 0, 1000),
                ("etc/passwd".to_owned(), 0o644, 0, 1000),
                ("tmp/".to_owned(), 0o1777, 0, 1000),
            ]
        );
    }

    #[test]
    fn what_is_too_large_or_broken_is_refused() {
        let layer = pack(&tree(), 0).unwrap();
        assert!(unpack(&layer.packed, 100).is_err());
        assert!(unpack(b"no gzip", 100).is_err());
    }
}
