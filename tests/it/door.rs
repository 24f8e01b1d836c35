//! The way to Graph, with a door that can be shut: then no connection comes about.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::world::free_port;

/// A port before the simulated Graph's. Each call through it has a connection of its own.
pub struct Door {
    port: u16,
    /// The port behind it.
    pub graph: u16,
    open: Option<JoinHandle<()>>,
}

impl Door {
    /// A shut one.
    pub fn new() -> Self {
        Self { port: free_port(), graph: free_port(), open: None }
    }

    /// Where it stands.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Opens it.
    pub async fn open(&mut self) {
        self.open_for(usize::MAX).await;
    }

    /// Opens it for so many calls; then it is shut.
    pub async fn open_for(&mut self, calls: usize) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("a port");
        let graph = SocketAddr::from(([127, 0, 0, 1], self.graph));
        self.open = Some(tokio::spawn(serve(listener, graph, calls)));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.abort();
        }
    }
}

async fn serve(listener: TcpListener, graph: SocketAddr, calls: usize) {
    let mut under_way = JoinSet::new();
    for _ in 0..calls {
        let (from, _) = listener.accept().await.expect("a connection");
        under_way.spawn(pass_on(from, graph));
    }
    drop(listener);
    under_way.join_all().await;
}

/// Passes one call on, and asks for its connection to be closed behind it.
async fn pass_on(mut from: TcpStream, graph: SocketAddr) {
    let mut to = TcpStream::connect(graph).await.expect("the simulated Graph");
    let mut line = vec![];
    while !line.ends_with(b"\r\n") {
        line.push(from.read_u8().await.expect("a request line"));
    }
    line.extend_from_slice(b"Connection: close\r\n");
    to.write_all(&line).await.expect("a request line goes on");
    // Either side may be gone before the other has noticed.
    let _ = copy_bidirectional(&mut from, &mut to).await;
}
