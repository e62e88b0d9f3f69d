//! Reads a written image back and compares it with what it says of itself, and with what every image of ours must be.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::build::{BILL, PROGRAM};
use crate::descriptor::{self, Config, Descriptor, Index, Manifest};
use crate::layer;
use crate::layout::{self, ARCHIVE, FOLDER, MARK};
use crate::system::USER;

/// Of the packed layers together.
const LARGEST: u64 = 50_000_000;
/// Of one unpacked layer.
const LARGEST_UNPACKED: u64 = 400_000_000;

/// What was found.
#[derive(Debug)]
pub struct Found {
    pub name: String,
    pub digest: String,
    pub packed: u64,
    pub files: usize,
    pub components: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}: {:.1} MB packed, {} files, {} components, digests and sizes as written",
            self.name,
            self.digest,
            self.packed as f64 / 1e6,
            self.files,
            self.components
        )
    }
}

/// The image in an index, its manifest and its configuration.
///
/// # Errors
/// Where one of them is missing or is not what its name says.
pub fn image(out: &Path) -> Result<(Descriptor, Manifest, Config)> {
    let folder = out.join(FOLDER);
    let mark = fs::read_to_string(folder.join("oci-layout"))
        .with_context(|| format!("{} is no image layout", folder.display()))?;
    ensure!(mark == MARK, "{}/oci-layout says {mark}", folder.display());
    let file = folder.join("index.json");
    let index = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let index: Index = serde_json::from_slice(&index).with_context(|| format!("{} is no index", file.display()))?;
    let [image] = index.manifests.as_slice() else {
        bail!("{} names {} images, not one", file.display(), index.manifests.len());
    };
    let manifest: Manifest = layout::read(out, image)?;
    let config: Config = layout::read(out, &manifest.config)?;
    Ok((image.clone(), manifest, config))
}

/// Checks the image in a folder that a build has written.
///
/// # Errors
/// Says what is not as it should be.
pub fn check(out: &Path) -> Result<Found> {
    let (image, manifest, config) = image(out)?;
    ensure!(
        config.config.user == format!("{USER}:{USER}"),
        "the image runs as {:?}, not as {USER}",
        config.config.user
    );
    ensure!(
        config.config.entrypoint == [PROGRAM],
        "the image starts {:?}, not {PROGRAM}",
        config.config.entrypoint
    );
    ensure!(
        config.rootfs.diff_ids.len() == manifest.layers.len(),
        "the configuration tells of other layers than the manifest"
    );
    let packed: u64 = manifest.layers.iter().map(|layer| layer.size).sum();
    ensure!(packed < LARGEST, "the image has {packed} bytes, and may have {LARGEST}");

    let mut paths = BTreeSet::new();
    let mut components = 0;
    for (descriptor, unpacked) in manifest.layers.iter().zip(&config.rootfs.diff_ids) {
        ensure!(
            descriptor.media_type == descriptor::LAYER,
            "a layer is {}",
            descriptor.media_type
        );
        let tar = layer::unpack(&layout::bytes(out, descriptor)?, LARGEST_UNPACKED)?;
        ensure!(
            layer::digest(&tar) == *unpacked,
            "the layer {} holds something else than the configuration says",
            descriptor.digest
        );
        components += look_into(&tar, &mut paths)?;
    }
    for needed in [
        PROGRAM.trim_start_matches('/'),
        "usr/bin/git",
        "etc/ssl/certs/ca-certificates.crt",
        "etc/passwd",
        "tmp",
    ] {
        ensure!(paths.contains(needed), "/{needed} is not in the image");
    }
    archive(out)?;
    let name = image.annotations.get("org.opencontainers.image.ref.name");
    Ok(Found {
        name: name.cloned().context("the image has no name")?,
        digest: image.digest,
        packed,
        files: paths.len(),
        components,
    })
}

/// Nobody's files but root's, nothing that lends rights, no names that lead out. Tells how many components the list has,
/// where the layer holds it.
fn look_into(tar: &[u8], paths: &mut BTreeSet<String>) -> Result<usize> {
    let mut components = 0;
    let mut archive = tar::Archive::new(tar);
    let mut times = BTreeSet::new();
    for entry in archive.entries().context("a layer cannot be read")? {
        let mut entry = entry.context("a layer cannot be read")?;
        let path = entry.path()?.to_string_lossy().trim_end_matches('/').to_owned();
        let header = entry.header().clone();
        let mode = header.mode()?;
        ensure!(
            header.uid()? == 0 && header.gid()? == 0,
            "/{path} belongs to {}, not to root",
            header.uid()?
        );
        ensure!(mode & 0o6000 == 0, "/{path} lends the rights of its owner");
        let link = header.entry_type().is_symlink();
        ensure!(
            link || mode & 0o002 == 0 || path == "tmp",
            "/{path} can be changed by everybody"
        );
        ensure!(
            !path.starts_with('/') && !path.split('/').any(|part| part == ".."),
            "{path} leads out of the image"
        );
        times.insert(header.mtime()?);
        if path == PROGRAM.trim_start_matches('/') {
            ensure!(mode & 0o111 == 0o111, "{PROGRAM} cannot be run");
        }
        if path.ends_with(BILL) {
            let bill: serde_json::Value =
                serde_json::from_reader(&mut entry).with_context(|| format!("/{path} is no JSON"))?;
            ensure!(bill["bomFormat"] == "CycloneDX", "/{path} is no list of CycloneDX");
            components = bill["components"].as_array().map_or(0, Vec::len);
            ensure!(components > 0, "/{path} lists nothing");
        }
        paths.insert(path);
    }
    ensure!(times.len() <= 1, "files of one layer have different times");
    Ok(components)
}

/// The one file holds what the folder holds.
fn archive(out: &Path) -> Result<()> {
    let file = out.join(ARCHIVE);
    let reading = || format!("cannot read {}", file.display());
    let tar = fs::read(&file).with_context(reading)?;
    let mut archive = tar::Archive::new(tar.as_slice());
    let mut count = 0;
    for entry in archive.entries().with_context(reading)? {
        let mut entry = entry.with_context(reading)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().with_context(reading)?.into_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).with_context(reading)?;
        let beside = fs::read(out.join(FOLDER).join(&path))
            .with_context(|| format!("{} is only in the archive", path.display()))?;
        ensure!(bytes == beside, "{} differs in the archive", path.display());
        count += 1;
    }
    ensure!(count >= 5, "{} holds {count} files only", file.display());
    Ok(())
}
