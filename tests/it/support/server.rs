//! A server that runs as a process of its own, as an operator would start it, and can be killed.

use super::webhooks::{PADDLE_SECRET, STRIPE_SECRET};
use super::{SECRET, Subject, TestDatabase};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The database of a server of its own.
pub(crate) struct Place(String);

impl Subject for Place {
    async fn start(database: &TestDatabase) -> Self {
        Place(database.url().to_owned())
    }

    async fn finish(self) {}
}

/// A server that runs as a process of its own.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
}

impl Place {
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        // The machine's own settings are not for this server.
        command.env_clear().env("TOLLGATE_DATABASE_URL", &self.0).env("TOLLGATE_LISTEN", "127.0.0.1:0");
        command.env("TOLLGATE_JWT_HS256_SECRET", SECRET);
        command.env("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET);
        command.env("TOLLGATE_PADDLE_WEBHOOK_SECRETS", PADDLE_SECRET);
        command
    }

    /// The token of an admin.
    pub(crate) fn token(&self) -> String {
        let output = self.command().args(["token", "--user", "admin", "--role", "admin"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A database that exists at this URL, migrated.
    pub(crate) fn migrated(url: &str) -> Place {
        let place = Place(url.to_owned());
        let output = place.command().args(["migrate", "up"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        place
    }

    /// The URL of the database.
    pub(crate) fn url(&self) -> &str {
        &self.0
    }

    /// Starts a server.
    pub(crate) fn serve(&self) -> Server {
        Place::start(self.command())
    }

    /// Starts a server whose files cannot grow beyond a number of bytes, as on a disk that is full.
    pub(crate) fn serve_within(&self, bytes: u64) -> Server {
        let plain = self.command();
        let mut limited = Command::new("sh");
        // The signal would end the process, which gets an error without it.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", bytes / 512);
        limited.args(["-c", &script]).arg(plain.get_program()).env_clear();
        limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Place::start(limited)
    }

    fn start(mut command: Command) -> Server {
        let mut process = command.arg("serve").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = log.by_ref().find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("listening on http://")?;
            Some(rest.split_once("/graphql").unwrap().0.to_owned())
        });
        // The rest of its output is read, so that it never blocks.
        std::thread::spawn(move || log.for_each(drop));
        Server { process, address: address.expect("the server listens") }
    }
}

impl Server {
    /// Ends it without warning.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Posts over a persistent connection, and returns the status and the body of the response; `None` once the server is
/// gone.
pub(crate) fn post(stream: &mut BufReader<TcpStream>, path: &str, header: &str, body: &str) -> Option<(u16, Vec<u8>)> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{header}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(format!("{head}{body}").as_bytes()).ok()?;
    let (mut status, mut length, mut line) = (None, 0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        status = status.or_else(|| line.split(' ').nth(1)?.parse().ok());
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((status?, body))
}
