//! The way to Postgres, on which the director stands: it knows the protocol well enough to see each commit.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};

use stint::sandbox::Way;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpListener, TcpStream, UnixStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        unix,
    },
    sync::watch,
    task::JoinHandle,
};

use crate::{
    director::{Director, Fate},
    labels,
};

/// A port before the server's socket.
pub struct Proxy {
    port: u16,
    frozen: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// What both directions of one connection know.
#[derive(Default)]
struct Known {
    statements: HashMap<String, (String, bool)>,
    /// The statement of the last `Bind`.
    bound: String,
    in_transaction: bool,
    /// What the open transaction changed, by its first statement.
    changed: Option<String>,
    /// How many answers are waited for, and how many came.
    asked: u64,
    answered: u64,
    /// What is to happen when this answer comes.
    pending: Option<(u64, Fate)>,
}

impl Proxy {
    /// Opens a port before the socket. A director sees what passes; without one all of it does.
    pub async fn open(socket: String, director: Option<Arc<Director>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let frozen = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(listener, socket, director, frozen.subscribe()));
        Self { port, frozen, accepting }
    }

    /// The database by way of this port.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// While it is frozen, nothing passes.
    pub fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, socket: String, director: Option<Arc<Director>>, frozen: watch::Receiver<bool>) {
    while let Ok((client, _)) = listener.accept().await {
        let _ = client.set_nodelay(true);
        // A server that is down refuses, and so does this.
        let Ok(server) = UnixStream::connect(&socket).await else { continue };
        let known = Arc::new(Mutex::new(Known::default()));
        let conversation = converse(client, server, known, director.clone(), frozen.clone());
        tokio::spawn(conversation);
    }
}

/// Until either side ends it, or the director does.
async fn converse(
    client: TcpStream,
    server: UnixStream,
    known: Arc<Mutex<Known>>,
    director: Option<Arc<Director>>,
    frozen: watch::Receiver<bool>,
) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asking = ask(from_client, to_server, Arc::clone(&known), director.clone(), frozen.clone());
    let answering = answer(from_server, to_client, known, director, frozen);
    tokio::select! {
        _ = asking => {}
        _ = answering => {}
    }
}

async fn ask(
    client: OwnedReadHalf,
    mut server: unix::OwnedWriteHalf,
    known: Arc<Mutex<Known>>,
    director: Option<Arc<Director>>,
    mut frozen: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let length = client.read_u32().await?;
    server.write_u32(length).await?;
    let startup = body(&mut client, length).await?;
    server.write_all(&startup).await?;
    // The answer to the startup message.
    known.lock().expect("not poisoned").asked += 1;
    loop {
        let (kind, length) = (client.read_u8().await?, client.read_u32().await?);
        let content = body(&mut client, length).await?;
        let effect = known.lock().expect("not poisoned").hears(kind, &content);
        let fate = match (&director, effect) {
            (Some(director), Some(label)) => director.effect(label),
            _ => Fate::Pass,
        };
        if matches!(fate, Fate::Suffers(Way::LostBefore) | Fate::Stopped { goes_on: false }) {
            return Ok(());
        }
        known.lock().expect("not poisoned").sends(kind, fate);
        if matches!(fate, Fate::Stopped { .. }) {
            // It is on its way while the process stands still.
            let _ = frozen.wait_for(|frozen| *frozen).await;
        }
        let _ = frozen.wait_for(|frozen| !frozen).await;
        server.write_all(&message(kind, length, content)).await?;
    }
}

async fn answer(
    server: unix::OwnedReadHalf,
    mut client: OwnedWriteHalf,
    known: Arc<Mutex<Known>>,
    director: Option<Arc<Director>>,
    mut frozen: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut server = BufReader::new(server);
    let mut held = vec![];
    loop {
        let (kind, length) = (server.read_u8().await?, server.read_u32().await?);
        let content = body(&mut server, length).await?;
        held.extend(message(kind, length, content));
        let (fate, waits) = known.lock().expect("not poisoned").answers(kind);
        match (&director, fate) {
            (_, Some(Fate::Suffers(_))) => return Ok(()),
            (Some(director), Some(Fate::LastDone)) => {
                if !director.strike() {
                    return Ok(());
                }
                let _ = frozen.wait_for(|frozen| *frozen).await;
            }
            // Nothing of an answer arrives before all of it is there.
            _ if waits => continue,
            _ => {}
        }
        let _ = frozen.wait_for(|frozen| !frozen).await;
        client.write_all(&std::mem::take(&mut held)).await?;
    }
}

fn message(kind: u8, length: u32, content: Vec<u8>) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    message.extend(content);
    message
}

async fn body(from: &mut (impl tokio::io::AsyncRead + Unpin), length: u32) -> io::Result<Vec<u8>> {
    let mut content = vec![0; usize::try_from(length).unwrap_or(0).saturating_sub(4)];
    from.read_exact(&mut content).await?;
    Ok(content)
}

impl Known {
    /// Reads a message of the client's; gives the name of the side effect that it is.
    fn hears(&mut self, kind: u8, content: &[u8]) -> Option<String> {
        let mut texts = content.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        match kind {
            b'Q' => match texts.next()?.trim().to_ascii_uppercase().as_str() {
                "BEGIN" => {
                    (self.in_transaction, self.changed) = (true, None);
                    None
                }
                "COMMIT" => {
                    self.in_transaction = false;
                    self.changed.take().map(|name| format!("commit {name}"))
                }
                "ROLLBACK" => {
                    (self.in_transaction, self.changed) = (false, None);
                    None
                }
                _ => None,
            },
            b'P' => {
                let (name, text) = (texts.next()?, texts.next()?);
                self.statements.insert(name, labels::of_statement(&text));
                None
            }
            b'B' => {
                self.bound = texts.nth(1)?;
                None
            }
            b'E' => {
                let (name, changes) = self.statements.get(&self.bound)?;
                if !*changes {
                    return None;
                }
                if self.in_transaction {
                    self.changed.get_or_insert_with(|| name.clone());
                    return None;
                }
                Some(format!("alone {name}"))
            }
            _ => None,
        }
    }

    /// A message goes on to the server.
    fn sends(&mut self, kind: u8, fate: Fate) {
        if matches!(fate, Fate::LastDone | Fate::Suffers(_)) {
            self.pending = Some((self.asked + 1, fate));
        }
        if matches!(kind, b'Q' | b'S') {
            self.asked += 1;
        }
    }

    /// What is to happen now that this message came back; whether something is to happen that it belongs to.
    fn answers(&mut self, kind: u8) -> (Option<Fate>, bool) {
        self.answered += u64::from(kind == b'Z');
        match self.pending {
            Some((at, fate)) if kind == b'Z' && self.answered >= at => {
                self.pending = None;
                (Some(fate), false)
            }
            pending => (None, pending.is_some()),
        }
    }
}
