//! Processor time and memory, as `/proc` tells them.

use anyhow::{Context, Result};

/// The processes of the launcher that started this program: PostgreSQL's are among them.
pub struct Family {
    launcher: u32,
}

/// Megabytes that a process holds.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub now: u64,
    /// The most since its start.
    pub most: u64,
}

/// The fields of `/proc/<pid>/stat` that count here.
struct Process {
    id: u32,
    parent: u32,
    name: String,
    /// Own time and that of children that have ended, in ticks.
    ticks: u64,
}

impl Family {
    pub fn of_parent() -> Self {
        Self {
            launcher: std::os::unix::process::parent_id(),
        }
    }

    /// Seconds of processor time of all PostgreSQL processes so far, those that have ended included.
    pub fn postgres(&self) -> Result<f64> {
        let all = processes()?;
        let mut below = vec![self.launcher];
        let mut ticks = 0;
        while let Some(parent) = below.pop() {
            for process in all.iter().filter(|process| process.parent == parent) {
                below.push(process.id);
                if process.name == "postgres" {
                    ticks += process.ticks;
                }
            }
        }
        anyhow::ensure!(ticks > 0, "the PostgreSQL that {} started is not found", self.launcher);
        Ok(seconds(ticks))
    }
}

/// Seconds of processor time of one process so far.
pub fn of_process(id: u32) -> Result<f64> {
    let process = stat(id).with_context(|| format!("process {id} is gone"))?;
    Ok(seconds(process.ticks))
}

/// Memory of one process.
pub fn memory(id: u32) -> Result<Memory> {
    let path = format!("/proc/{id}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().split(' ').next()?.parse().ok()?;
        Some(kilobytes / 1024)
    };
    let missing = || format!("{path} is not as expected");
    Ok(Memory {
        now: field("VmRSS:").with_context(missing)?,
        most: field("VmHWM:").with_context(missing)?,
    })
}

fn seconds(ticks: u64) -> f64 {
    // SAFETY: asks for a constant of the kernel.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    ticks as f64 / per_second as f64
}

fn processes() -> Result<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").context("cannot read /proc")?;
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that ends meanwhile is counted with its parent.
    Ok(ids.filter_map(stat).collect())
}

fn stat(id: u32) -> Option<Process> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name stands in parentheses and may hold any character.
    let (start, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Process {
        id,
        parent: fields.get(1)?.parse().ok()?,
        name: start.split_once('(')?.1.to_owned(),
        // utime, stime, cutime, cstime.
        ticks: ticks(11)? + ticks(12)? + ticks(13)? + ticks(14)?,
    })
}
