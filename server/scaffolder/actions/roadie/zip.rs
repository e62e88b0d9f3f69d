use std::io::Write as _;

use flate2::{Compression, Crc, write::DeflateEncoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scaffolder::actions::files::{on_files, read, write};
use crate::scaffolder::actions::{Action, ActionError, Context, Example};

/// `roadiehq:utils:zip`: packs a file or folder.
pub struct Zip;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// File or folder of the workspace.
    path: String,
    /// File of the workspace that the archive is written to.
    output_path: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    output_path: String,
}

#[async_trait::async_trait]
impl Action for Zip {
    const ID: &'static str = "roadiehq:utils:zip";
    const DESCRIPTION: &'static str = "Packs a file or folder of the workspace into a zip archive.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Pack a folder",
        example: "\
steps:
  - id: zip
    action: roadiehq:utils:zip
    input:
      path: dist
      outputPath: dist.zip
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        on_files(cx, move |cx| {
            let archive = pack(cx, &input.path)?;
            write(cx, &input.output_path, &archive)?;
            cx.log(format!("Packed {} into {}", input.path, input.output_path));
            Ok(Output {
                output_path: input.output_path,
            })
        })
        .await
    }
}

fn pack(cx: &Context, path: &str) -> Result<Vec<u8>, ActionError> {
    let root = cx.workspace.resolve(path)?;
    let mut archive = Archive::default();
    if root.is_file() {
        let name = path.rsplit('/').next().unwrap_or(path);
        archive.add(name, &read(cx, path)?)?;
    } else if root.is_dir() {
        for file in cx.workspace.files()? {
            if let Ok(below) = cx.workspace.path().join(&file).strip_prefix(&root) {
                archive.add(&below.to_string_lossy(), &read(cx, &file)?)?;
            }
        }
    } else {
        return Err(ActionError::Input(format!("there is no \"{path}\" in the workspace")));
    }
    archive.end()
}

/// A zip archive in memory: its files, and the directory that ends it. Times are zip's first day, so that the
/// same files give the same archive.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

const FIRST_DAY: u16 = 0x21;
const DEFLATED: u16 = 8;
const UTF8_NAMES: u16 = 1 << 11;

impl Archive {
    fn add(&mut self, name: &str, content: &[u8]) -> Result<(), ActionError> {
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(content)?;
        let packed = deflate.finish()?;
        let mut crc = Crc::new();
        crc.update(content);
        let number = |length: usize| u32::try_from(length).map_err(|_| too_large());
        let mut header = Vec::new();
        for field in [20, UTF8_NAMES, DEFLATED, 0, FIRST_DAY] {
            header.extend(field.to_le_bytes());
        }
        for field in [crc.sum(), number(packed.len())?, number(content.len())?] {
            header.extend(field.to_le_bytes());
        }
        header.extend(u16::try_from(name.len()).map_err(|_| too_large())?.to_le_bytes());
        header.extend(0u16.to_le_bytes());
        let offset = number(self.bytes.len())?;
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&header);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(packed);
        // The directory repeats the header, with the version of the maker before it and the place behind it.
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(20u16.to_le_bytes());
        self.directory.extend(header);
        self.directory.extend([0; 10]);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count = self.count.checked_add(1).ok_or_else(too_large)?;
        Ok(())
    }

    fn end(mut self) -> Result<Vec<u8>, ActionError> {
        let number = |length: usize| u32::try_from(length).map_err(|_| too_large());
        let (offset, length) = (number(self.bytes.len())?, number(self.directory.len())?);
        self.bytes.append(&mut self.directory);
        self.bytes.extend(b"PK\x05\x06");
        self.bytes.extend([0; 4]);
        self.bytes.extend(self.count.to_le_bytes());
        self.bytes.extend(self.count.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(offset.to_le_bytes());
        self.bytes.extend([0; 2]);
        Ok(self.bytes)
    }
}

fn too_large() -> ActionError {
    ActionError::Input("there is more than a zip archive can hold".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    /// The files of an archive, by its directory, as any reader finds them.
    fn unpack(archive: &[u8]) -> Vec<(String, String)> {
        use std::io::Read as _;
        let u16_at = |at: usize| usize::from(u16::from_le_bytes(archive[at..at + 2].try_into().unwrap()));
        let u32_at = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
        let end = archive.len() - 22;
        assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
        let (count, mut at) = (u16_at(end + 10), u32_at(end + 16));
        let mut files = Vec::new();
        for _ in 0..count {
            assert_eq!(&archive[at..at + 4], b"PK\x01\x02");
            let (packed, name_length, offset) = (u32_at(at + 20), u16_at(at + 28), u32_at(at + 42));
            let name = String::from_utf8(archive[at + 46..at + 46 + name_length].to_vec()).unwrap();
            let start = offset + 30 + u16_at(offset + 26);
            let mut text = String::new();
            flate2::read::DeflateDecoder::new(&archive[start..start + packed])
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text.len(), u32_at(at + 24));
            files.push((name, text));
            at += 46 + name_length;
        }
        files
    }

    #[tokio::test]
    async fn folders_and_files_are_packed() {
        let cx = bench(&[("d/a", "one"), ("d/b/c.txt", "two two two"), ("e", "three")]);
        let named = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect()
        };
        for (path, expected) in [
            ("d", named(&[("a", "one"), ("b/c.txt", "two two two")])),
            ("e", named(&[("e", "three")])),
        ] {
            run(&Zip, &cx, json!({"path": path, "outputPath": "out.zip"}))
                .await
                .unwrap();
            assert_eq!(
                unpack(&std::fs::read(cx.workspace.path().join("out.zip")).unwrap()),
                expected
            );
        }
        assert!(
            run(&Zip, &cx, json!({"path": "missing", "outputPath": "x"}))
                .await
                .is_err()
        );
        assert!(
            run(&Zip, &cx, json!({"path": "d", "outputPath": "../x.zip"}))
                .await
                .is_err()
        );
    }
}
