//! A cable between the portal and PostgreSQL that a test can pull.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use url::Url;

/// Forwards connections to a PostgreSQL server while it is whole.
pub struct Cable {
    whole: watch::Sender<bool>,
    port: u16,
    user: String,
    password: Option<String>,
}

#[derive(Clone)]
enum Server {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Cable {
    /// A cable to the server of this URL: `postgres://user[:password]@host:port/…` or `…?host=/socket/folder&user=…`.
    pub async fn to(database: &str) -> Self {
        let url: Url = database.parse().expect("a URL");
        let value = |key: &str| {
            url.query_pairs()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.into_owned())
        };
        let port = url
            .port()
            .or_else(|| value("port").and_then(|port| port.parse().ok()))
            .unwrap_or(5432);
        let server = match value("host") {
            Some(folder) if folder.starts_with('/') => {
                Server::Unix(PathBuf::from(folder).join(format!(".s.PGSQL.{port}")))
            }
            _ => Server::Tcp(url.host_str().unwrap_or("localhost").to_owned(), port),
        };
        let user = value("user").unwrap_or_else(|| url.username().to_owned());
        let password = url.password().map(ToOwned::to_owned).or_else(|| value("password"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (whole, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *state.borrow() {
                    tokio::spawn(forward(client, server.clone(), state.clone()));
                }
            }
        });
        Self {
            whole,
            port,
            user,
            password,
        }
    }

    /// URL of a database behind the cable.
    pub fn url(&self, database: &str) -> String {
        let password = self
            .password
            .as_ref()
            .map(|password| format!(":{password}"))
            .unwrap_or_default();
        format!("postgres://{}{password}@127.0.0.1:{}/{database}", self.user, self.port)
    }

    /// Breaks all connections and lets none through.
    pub fn pull(&self) {
        self.whole.send_replace(false);
    }

    /// Lets connections through again.
    pub fn plug_in(&self) {
        self.whole.send_replace(true);
    }
}

async fn forward(client: TcpStream, server: Server, mut state: watch::Receiver<bool>) {
    let forwarded = async {
        match server {
            Server::Tcp(host, port) => join(client, TcpStream::connect((host, port)).await).await,
            Server::Unix(path) => join(client, UnixStream::connect(path).await).await,
        }
    };
    tokio::select! {
        () = forwarded => {}
        _ = state.wait_for(|whole| !whole) => {}
    }
}

async fn join<S: AsyncRead + AsyncWrite + Unpin>(mut client: TcpStream, server: std::io::Result<S>) {
    if let Ok(mut server) = server {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
