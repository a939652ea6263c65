//! The server under load, as a separate process.

use super::config;
use anyhow::{Context, bail};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tollgate::app::App;
use tollgate::auth::{MintRequest, Permissions, Role};

/// The time limit for the start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running `tollgate serve`, which stops when dropped.
pub(crate) struct Server {
    /// The address of its listener.
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
        .with_context(|| format!("{} could not be started.", program.display()))?;
    let mut server = Server { address, process };
    let start = Instant::now();
    while TcpStream::connect(&server.address).is_err() {
        if let Some(status) = server.process.try_wait()? {
            bail!("The server exited with {status}.");
        }
        if start.elapsed() > START_TIMEOUT {
            bail!("The server did not start in time.");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

impl Server {
    /// Returns the resident memory, now and at the peak, in MB; zero if the system does not report it.
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
    /// Returns the processor time so far, in microseconds with a resolution of a hundredth of a second; zero if the system
    /// does not report it. Other load on the machine affects it less than requests per second.
    pub(crate) fn cpu_us(&self) -> u32 {
        const TICK_US: u32 = 10_000;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        // User and system time are the 12th and 13th field after the name, which may contain anything.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
        ticks.sum::<u32>().wrapping_mul(TICK_US)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a token of an admin.
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
