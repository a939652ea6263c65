//! The corpus over the wire: several senders at a time, connections that break off, and a server that is killed.

use super::sequences::{self, Event, Sequence};
use super::{check, shuffled, sign_in};
use crate::support::server::{Place, post};
use crate::support::webhooks::{secret, signature};
use crate::support::{SECRET, Subject, TestApp, both_engines, sql};
use std::collections::VecDeque;
use std::io::BufReader;
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};
use std::time::Duration;
use tollgate::clock::Clock;

both_engines!(four_at_a_time_with_kills_in_between);

/// Number of senders.
const SENDERS: usize = 4;
/// Number of acknowledged events before the server is killed.
const BETWEEN_KILLS: usize = 150;
/// Time limit of the last server to apply all events: longer than the lease of a job whose worker was killed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The events to deliver; those that are not acknowledged are added again.
struct Post {
    waiting: Mutex<VecDeque<Event>>,
}

impl Post {
    /// Sends until nothing is left or the server is gone, and reports each acknowledged event. After every tenth
    /// the connection breaks, and any sender sends the event again, because the provider does not know its result.
    fn send(&self, address: &str, acknowledged: &mpsc::Sender<()>) {
        let connect = || TcpStream::connect(address).ok().map(BufReader::new);
        let mut stream = connect();
        for count in 1_usize.. {
            let Some(event) = self.waiting.lock().unwrap().pop_front() else { return };
            let sent = stream.as_mut().and_then(|stream| deliver(stream, &event));
            match sent {
                Some(200) if !count.is_multiple_of(10) => _ = acknowledged.send(()),
                Some(200) => {
                    self.waiting.lock().unwrap().push_back(event);
                    stream = connect();
                }
                Some(status) => panic!("{}: {status}", event.file),
                None => {
                    self.waiting.lock().unwrap().push_front(event);
                    return;
                }
            }
        }
    }
}

/// The status of the answer; `None` once the server is gone.
fn deliver(stream: &mut BufReader<TcpStream>, event: &Event) -> Option<u16> {
    let (provider, at) = (event.provider, Clock::System.now().timestamp());
    let signature = signature(provider, &[secret(provider)], at, event.body.as_bytes());
    let header = format!("{}: {signature}", provider.signature_header());
    let (status, _) = post(stream, &format!("/webhooks/{}", provider.name()), &header, &event.body)?;
    Some(status)
}

async fn four_at_a_time_with_kills_in_between(place: &Place) {
    let sequences = sequences::all();
    let url = [("TOLLGATE_DATABASE_URL", place.url()), ("TOLLGATE_JWT_HS256_SECRET", SECRET)];
    let test = TestApp::configured(&url).await;
    sign_in(&test, &sequences).await;
    let all = sequences.iter().flat_map(|sequence: &Sequence| sequence.events.clone()).collect();
    let post = Post { waiting: Mutex::new(shuffled(all, 2_026).into()) };
    let mut server = place.serve();
    let mut kills = 0;
    while !post.waiting.lock().unwrap().is_empty() {
        let address = server.address.clone();
        std::thread::scope(|scope| {
            let (acknowledged, told) = mpsc::channel();
            for _ in 0..SENDERS {
                let (post, address, acknowledged) = (&post, &address, acknowledged.clone());
                scope.spawn(move || post.send(address, &acknowledged));
            }
            drop(acknowledged);
            told.iter().take(BETWEEN_KILLS).for_each(drop);
            server.kill();
        });
        kills += 1;
        server = place.serve();
    }
    assert!(kills >= 3, "the server was killed {kills} times alone");
    applied(&test).await;
    server.kill();
    check(&test, &sequences, "killed").await;
    let doubled =
        "SELECT COUNT(*) FROM (SELECT business_key FROM ledger_txns GROUP BY business_key HAVING COUNT(*) > 1) AS x";
    assert_eq!(sql::number(test.app.db.read(), doubled).await, 0);
    test.finish().await;
}

/// Waits until the server has applied all there is.
async fn applied(test: &TestApp) {
    const LEFT: &str = "SELECT COUNT(*) FROM inbox_events WHERE state IN ('received', 'failed')";
    const JOBS: &str = "SELECT COUNT(*) FROM jobs WHERE kind IN ('apply_object', 'reapply_price', 'user_appeared')";
    let done = async {
        let mut turn = tokio::time::interval(Duration::from_millis(100));
        loop {
            turn.tick().await;
            let left = sql::number(test.app.db.read(), LEFT).await + sql::number(test.app.db.read(), JOBS).await;
            if left == 0 {
                return;
            }
        }
    };
    if tokio::time::timeout(PATIENCE, done).await.is_err() {
        let why =
            "SELECT DISTINCT COALESCE(error, waits_for, state) FROM inbox_events WHERE state IN ('received', 'failed')";
        let left: Vec<Option<String>> = sql::column(test.app.db.read(), why, []).await;
        panic!("not everything was applied: {left:?}");
    }
}
