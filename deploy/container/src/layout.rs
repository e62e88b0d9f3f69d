//! A folder in the form of an OCI image layout, and the same as one file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::descriptor::{Descriptor, Index};
use crate::files::Files;
use crate::layer::{self, digest};

/// Name of the folder in the output.
pub const FOLDER: &str = "layout";
/// Name of the file in the output.
pub const ARCHIVE: &str = "portico.tar";
/// What says that a folder is a layout.
pub const MARK: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// A layout that is being written: first its blobs, then the index.
pub struct Layout {
    files: Files,
}

impl Layout {
    /// An empty one.
    ///
    /// # Errors
    /// Never in practice: two files that contradict each other.
    pub fn new() -> Result<Self> {
        let mut files = Files::default();
        files.text("/oci-layout", MARK)?;
        files.folder("/blobs/sha256")?;
        Ok(Self { files })
    }

    /// Puts bytes in, and tells how they are called.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Result<Descriptor> {
        let digest = digest(&bytes);
        let size = bytes.len() as u64;
        self.files.text(&place(&digest)?, bytes)?;
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            annotations: std::collections::BTreeMap::new(),
            platform: None,
        })
    }

    /// Puts a document in.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub fn document(&mut self, media_type: &str, document: &impl Serialize) -> Result<Descriptor> {
        self.blob(media_type, serde_json::to_vec(document)?)
    }

    /// Writes folder and archive into `out`, in the place of what an earlier run wrote there.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write(mut self, out: &Path, index: &Index, time: u64) -> Result<()> {
        self.files.text("/index.json", serde_json::to_vec(index)?)?;
        let folder = out.join(FOLDER);
        let writing = || format!("cannot write {}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(writing)?;
        }
        for (path, entry) in self.files.iter() {
            let place = folder.join(path);
            match entry {
                crate::files::Entry::Folder(_) => fs::create_dir_all(&place).with_context(writing)?,
                crate::files::Entry::File(_, bytes) => {
                    if let Some(above) = place.parent() {
                        fs::create_dir_all(above).with_context(writing)?;
                    }
                    fs::write(&place, bytes).with_context(writing)?;
                }
                crate::files::Entry::Link(_) => bail!("a layout has no links"),
            }
        }
        let archive = out.join(ARCHIVE);
        fs::write(&archive, layer::plain(&self.files, time)?)
            .with_context(|| format!("cannot write {}", archive.display()))
    }
}

/// The document that a descriptor names, out of a layout; its bytes are checked first.
///
/// # Errors
/// As [`bytes`]; or where it is not what it should be.
pub fn read<T: DeserializeOwned>(out: &Path, descriptor: &Descriptor) -> Result<T> {
    serde_json::from_slice(&bytes(out, descriptor)?)
        .with_context(|| format!("{} is no {}", descriptor.digest, descriptor.media_type))
}

/// The bytes that a descriptor names.
///
/// # Errors
/// Where the blob is missing, or its size or digest is another one.
pub fn bytes(out: &Path, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let place = place(&descriptor.digest)?;
    let file = out.join(FOLDER).join(place.trim_start_matches('/'));
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    if bytes.len() as u64 != descriptor.size {
        bail!(
            "{} has {} bytes, and should have {}",
            file.display(),
            bytes.len(),
            descriptor.size
        );
    }
    if digest(&bytes) != descriptor.digest {
        bail!("{} holds something else than its name says", file.display());
    }
    Ok(bytes)
}

fn place(digest: &str) -> Result<String> {
    match digest.strip_prefix("sha256:") {
        Some(hex) if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(format!("/blobs/sha256/{hex}"))
        }
        _ => bail!("{digest:?} is no SHA-256 digest"),
    }
}
