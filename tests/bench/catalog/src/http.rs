//! The least of an HTTP/1.1 client: a connection that stays open, so that the measuring itself costs little.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Connection {
    stream: TcpStream,
    token: String,
    buffer: Vec<u8>,
}

/// An answer's status and body.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects to a port of this machine; `token` goes with every request.
    pub async fn open(port: u16, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("no connection")?;
        stream.set_nodelay(true).context("no connection")?;
        Ok(Self {
            stream,
            token: token.to_owned(),
            buffer: Vec::new(),
        })
    }

    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        let accepted = if path.starts_with("/api/") {
            "application/json"
        } else {
            "text/html"
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\naccept: {accepted}\r\n\r\n",
            self.token
        );
        self.stream.write_all(request.as_bytes()).await.context("cannot send")?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let text = String::from_utf8_lossy(&self.buffer[..head]).to_ascii_lowercase();
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("not an answer: {text}"))?;
        let header = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().to_owned())
        };
        let body = if let Some(length) = header("content-length:") {
            let end = head + length.parse::<usize>().context("not a length")?;
            while self.buffer.len() < end {
                self.more().await?;
            }
            self.buffer[head..end].to_vec()
        } else if header("transfer-encoding:").is_some_and(|encoding| encoding == "chunked") {
            self.chunks(head).await?
        } else {
            bail!("an answer without a length: {text}");
        };
        Ok(Answer { status, body })
    }

    async fn chunks(&mut self, mut at: usize) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = find(&self.buffer[at..], b"\r\n") {
                    break at + end;
                }
                self.more().await?;
            };
            let size = std::str::from_utf8(&self.buffer[at..end]).context("not a chunk")?;
            let size = usize::from_str_radix(size.trim(), 16).context("not a chunk")?;
            let start = end + 2;
            while self.buffer.len() < start + size + 2 {
                self.more().await?;
            }
            body.extend_from_slice(&self.buffer[start..start + size]);
            at = start + size + 2;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn more(&mut self) -> Result<()> {
        self.buffer.reserve(64 * 1024);
        match self.stream.read_buf(&mut self.buffer).await.context("cannot read")? {
            0 => bail!("the portal closed the connection"),
            _ => Ok(()),
        }
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
