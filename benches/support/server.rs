//! The server under load: the real program, as a process of its own.

use super::config;
use anyhow::{Context, bail};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tollgate::app::App;
use tollgate::auth::{MintRequest, Permissions, Role};

/// How long it may take to start.
const START: Duration = Duration::from_secs(20);

/// A running `tollgate serve`; stopped when dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: String,
    process: Child,
}

/// Starts `program` over the database at `url`.
pub(crate) fn start(program: &Path, url: &str, pool: Option<u32>) -> anyhow::Result<Server> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let (_, env) = config(url, pool)?;
    let process = Command::new(program)
        .arg("serve")
        .envs(env)
        .env("TOLLGATE_LISTEN", &address)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("{} does not start", program.display()))?;
    let mut server = Server { address, process };
    let start = Instant::now();
    while TcpStream::connect(&server.address).is_err() {
        if let Some(status) = server.process.try_wait()? {
            bail!("the server ended with {status}");
        }
        if start.elapsed() > START {
            bail!("the server does not listen");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

impl Server {
    /// Its resident memory, now and at the peak, in MB; zero where the system does not tell.
    pub(crate) fn memory_mb(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kib / 1024)
        };
        (field("VmRSS:").unwrap_or_default(), field("VmHWM:").unwrap_or_default())
    }
}

impl Server {
    /// The processor time it has used so far, in microseconds, exact to a hundredth of a second; zero where the system
    /// does not tell. On a busy machine this says more than requests per second.
    pub(crate) fn cpu_us(&self) -> u32 {
        const TICK_US: u32 = 10_000;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        // After the name, which may hold anything, user and system time are the 12th and 13th field.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
        ticks.sum::<u32>().wrapping_mul(TICK_US)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A token of an admin.
pub(crate) fn admin_token(app: &App) -> anyhow::Result<String> {
    let request = MintRequest {
        subject: "user_admin".to_owned(),
        role: Role::Admin,
        permissions: Permissions::NONE,
        ttl: Duration::from_secs(24 * 60 * 60),
        now: app.now(),
    };
    Ok(app.tokens.mint(&request)?)
}
