//! Whether this machine can run what is wanted: tools, room on the disk, free ports.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::progress::warn;

const MEGABYTE: u64 = 1024 * 1024;
/// Below this a first start would stop somewhere in the middle.
const ROOM_AT_FIRST: u64 = 400 * MEGABYTE;
/// Below this a database that is there already soon cannot write any more.
const ROOM_LATER: u64 = 64 * MEGABYTE;

/// The five addresses of a data folder, all on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub portal: u16,
    pub forge: u16,
    pub kubernetes: u16,
    pub issuer: u16,
    pub argocd: u16,
}

impl Ports {
    /// Five ports from `first` on.
    pub fn starting_at(first: u16) -> Result<Ports> {
        if !(1024..=u16::MAX - 4).contains(&first) {
            bail!("--port {first} cannot be used; five ports are needed from it on: choose one from 1024 to 65531");
        }
        Ok(Ports {
            portal: first,
            forge: first + 1,
            kubernetes: first + 2,
            issuer: first + 3,
            argocd: first + 4,
        })
    }

    /// The ports with what they are for.
    pub fn named(self) -> [(&'static str, u16); 5] {
        [
            ("portal", self.portal),
            ("forge", self.forge),
            ("Kubernetes API", self.kubernetes),
            ("identity provider", self.issuer),
            ("Argo CD", self.argocd),
        ]
    }
}

/// Names the ports of 127.0.0.1 that other programs hold, and what can be done beside ending those.
pub fn check_free(wanted: &[(&str, u16)], otherwise: &str) -> Result<()> {
    let taken: Vec<String> = wanted
        .iter()
        .filter(|(_, port)| is_taken(*port))
        .map(|(name, port)| match holder(*port) {
            Some(program) => format!("{port} ({name}) by {program}"),
            None => format!("{port} ({name})"),
        })
        .collect();
    if taken.is_empty() {
        return Ok(());
    }
    bail!(
        "taken on this machine: port {}; stop that program, or {otherwise}",
        taken.join(", ")
    );
}

/// Whether somebody listens on a port. We listen on 127.0.0.1 only, but `localhost` may mean ::1 first, so a program
/// there would get what is meant for us.
fn is_taken(port: u16) -> bool {
    let six = TcpListener::bind((Ipv6Addr::LOCALHOST, port));
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
        || six.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// A program on the PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| is_executable(path))
}

/// Whether a file is there and somebody may run it.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Tools that nothing works without.
pub fn check_tools() -> Result<()> {
    if find_program("git").is_none() {
        bail!("git is missing: the forge keeps real repositories with it; install it (Debian: apt install git)");
    }
    Ok(())
}

/// Room for a database, repositories and logs.
pub fn check_room(folder: &Path, is_first: bool) -> Result<()> {
    let needed = if is_first { ROOM_AT_FIRST } else { ROOM_LATER };
    let free =
        free_bytes(folder).with_context(|| format!("cannot ask how full the disk of {} is", folder.display()))?;
    if free < needed {
        bail!(
            "the disk of {} has {} MB left and {} MB are needed; make room, or choose another disk with --data",
            folder.display(),
            free / MEGABYTE,
            needed / MEGABYTE
        );
    }
    Ok(())
}

/// Says so when the disk becomes full: what fails then fails in many places, none of which knows why.
pub async fn watch_room(folder: &Path) -> Infallible {
    let mut is_short = false;
    loop {
        let free = free_bytes(folder).unwrap_or(u64::MAX);
        if free < ROOM_LATER && !is_short {
            warn(&format!(
                "the disk of {} has {} MB left: what is made now may fail; make room",
                folder.display(),
                free / MEGABYTE
            ));
        }
        is_short = free < ROOM_LATER;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn free_bytes(folder: &Path) -> Result<u64> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a zero byte and `answer` has the size that the call fills.
    let code = unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) };
    if code != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    // SAFETY: the call succeeded, so it has filled the structure.
    let answer = unsafe { answer.assume_init() };
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        reason = "the widths differ from system to system"
    )]
    Ok(answer.f_bavail as u64 * answer.f_frsize as u64)
}

/// "nginx (process 812)", where the system tells it: Linux, and a process that we may look at.
fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| {
        let sockets = std::fs::read_to_string(table).ok()?;
        listening_inode(&sockets, port).map(str::to_owned)
    })?;
    let wanted = format!("socket:[{inode}]");
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        // `self` and `thread-self` are there too.
        if !process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = files
            .flatten()
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == wanted.as_str()));
        if holds {
            let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
            return Some(format!(
                "{} (process {})",
                name.trim(),
                process.file_name().to_string_lossy()
            ));
        }
    }
    None
}

/// The inode of the socket that listens on `port`, from a table of sockets (proc(5)).
fn listening_inode(sockets: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    sockets.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == LISTEN).then_some(*fields.get(9)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_each_other_and_fit() {
        assert_eq!(Ports::starting_at(7007).expect("fits").argocd, 7011);
        assert_eq!(Ports::starting_at(65_531).expect("fits").argocd, 65_535);
        for wrong in [0, 80, 65_532, 65_535] {
            assert!(Ports::starting_at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_taken_port_is_named_with_its_holder() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let Ok(ports) = Ports::starting_at(port.min(u16::MAX - 4)) else {
            return;
        };
        let text = check_free(&ports.named(), "use another folder")
            .expect_err("taken")
            .to_string();
        assert!(text.contains(&port.to_string()), "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        }
    }

    #[test]
    fn only_listening_sockets_count() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                    0: 0100007F:1B5F 0100007F:C350 06 00000000:00000000 00:00000000 00000000 0 0 11 1 0 20 4 0 10 -1\n\
                    1: 0100007F:1B5F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 42 1 0 20 4 0 10 -1\n";
        assert_eq!(listening_inode(text, 7007), Some("42"));
        assert_eq!(listening_inode(text, 7008), None);
    }
}
