//! Programs that serve HTTP.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::report::say;

/// A process that serves HTTP, ended with this.
pub struct Process {
    child: Child,
    /// Where it listens, such as `127.0.0.1:8080`.
    pub address: String,
}

impl Process {
    /// Starts a program that will listen there.
    pub fn listening(mut command: Command, address: String) -> Self {
        let process = Self { child: command.spawn().expect("a process"), address };
        process.await_listening();
        process
    }

    /// A program that says in its first line where it listens.
    pub fn telling(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a process");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        Self { child, address: line.trim().to_owned() }
    }

    fn await_listening(&self) {
        let began = Instant::now();
        while std::net::TcpStream::connect(&self.address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "nobody listens on {}", self.address);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most resident memory so far, in bytes.
    pub fn most_resident(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, which: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix(which)).expect("a size");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            say(&format!("{} may still run", self.address));
        }
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
