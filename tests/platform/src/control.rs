//! How `down`, `stop` and `start` speak with the supervisor: one line each way over a socket in the data folder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::systems::System;

/// In the data folder. Both sides work in that folder, because addresses of sockets are short and paths are not.
const SOCKET: &str = "control.sock";
const DONE: &str = "done";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Kills a system, as a crash would.
    Stop(System),
    /// Starts a system again, on its data.
    Start(System),
    /// Ends everything.
    Down,
}

impl Order {
    fn line(self) -> String {
        match self {
            Order::Stop(system) => format!("stop {system}"),
            Order::Start(system) => format!("start {system}"),
            Order::Down => "down".into(),
        }
    }

    fn read(line: &str) -> Result<Order> {
        let system = |name: &str| System::from_str(name, false).map_err(anyhow::Error::msg);
        match line.trim().split_once(' ') {
            Some(("stop", name)) => Ok(Order::Stop(system(name)?)),
            Some(("start", name)) => Ok(Order::Start(system(name)?)),
            None if line.trim() == "down" => Ok(Order::Down),
            _ => bail!("{:?} is no order", line.trim()),
        }
    }
}

/// Listens in the working folder, which is the data folder.
pub fn listen() -> Result<UnixListener> {
    // What an earlier supervisor left behind; the folder's lock says that there is no other.
    drop(std::fs::remove_file(SOCKET));
    UnixListener::bind(SOCKET).context("cannot listen for orders in the data folder")
}

/// Reads one order. An error is told to the other side.
pub async fn receive(stream: &mut UnixStream) -> Result<Order> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, BufReader::new(&mut *stream).read_line(&mut line))
        .await
        .context("no order came")?
        .context("the order cannot be read")?;
    Order::read(&line)
}

/// Tells the other side what became of its order. One that is gone is not told.
pub async fn reply(stream: &mut UnixStream, outcome: &Result<()>) {
    let text = match outcome {
        Ok(()) => DONE.to_owned(),
        Err(error) => format!("{error:#}"),
    };
    drop(stream.write_all(text.as_bytes()).await);
}

/// Whether the supervisor of `data` listens.
pub async fn answers(data: &Path) -> bool {
    connect(data).await.is_ok_and(|stream| stream.is_some())
}

async fn connect(data: &Path) -> Result<Option<UnixStream>> {
    std::env::set_current_dir(data).with_context(|| format!("cannot enter {}", data.display()))?;
    Ok(UnixStream::connect(SOCKET).await.ok())
}

/// Sends an order to the supervisor of `data` and waits until it is carried out. `None` where no supervisor runs.
///
/// # Errors
/// What the supervisor answers.
pub async fn send(data: &Path, order: Order) -> Result<Option<()>> {
    let Some(mut stream) = connect(data).await? else {
        return Ok(None);
    };
    stream.write_all(format!("{}\n", order.line()).as_bytes()).await?;
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer)
        .await
        .context("the supervisor went away")?;
    match answer.as_str() {
        DONE => Ok(Some(())),
        "" => bail!("the supervisor ended before it was done"),
        problem => bail!("{problem}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_written() {
        for system in System::value_variants() {
            for order in [Order::Stop(*system), Order::Start(*system)] {
                assert_eq!(Order::read(&format!("{}\n", order.line())).expect("an order"), order);
            }
        }
        assert_eq!(Order::read("down\n").expect("an order"), Order::Down);
        for wrong in ["", "stop", "stop moon", "up forge"] {
            assert!(Order::read(wrong).is_err(), "{wrong}");
        }
    }
}
