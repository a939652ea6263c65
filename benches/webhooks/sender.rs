//! A sender of webhooks in Stripe's form: signed, over persistent connections.

use crate::support::{Figures, STRIPE_SECRET, Samples};
use anyhow::{Context, bail};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tollgate::clock::Clock;

/// The parameters of a stream of webhooks.
pub(crate) struct Storm<'a> {
    /// The address of the server.
    pub(crate) address: &'a str,
    /// A prefix of the event ids that distinguishes them from other streams.
    pub(crate) name: String,
    /// The number of connections.
    pub(crate) connections: u64,
    /// The number of different objects of the events.
    pub(crate) objects: u64,
    /// The user who owns the objects.
    pub(crate) user: String,
    /// The duration.
    pub(crate) time: Duration,
}

impl Storm<'_> {
    /// Sends the webhooks, and returns the durations of the responses.
    pub(crate) async fn send(&self) -> anyhow::Result<Figures> {
        let start = Instant::now();
        let mut senders = JoinSet::new();
        for connection in 0..self.connections {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (name, objects, end) = (format!("{}-{connection}", self.name), self.objects, start + self.time);
            let user = self.user.clone();
            // Each connection starts elsewhere, so that no two wait for each other's object.
            let first = connection * objects / self.connections;
            senders.spawn(async move {
                let mut samples = Samples::default();
                for number in 0_u64.. {
                    let (id, object) = (format!("evt_{name}_{number}"), format!("cus_{}", (first + number) % objects));
                    let request = request(&id, &object, &user, number);
                    let sent = Instant::now();
                    if sent >= end {
                        break;
                    }
                    stream.write_all(request.as_bytes()).await?;
                    accepted(&mut stream).await?;
                    samples.add(sent.elapsed());
                }
                anyhow::Ok(samples)
            });
        }
        let mut samples = Samples::default();
        while let Some(finished) = senders.join_next().await {
            samples.merge(finished??);
        }
        Ok(samples.figures(start.elapsed()))
    }
}

/// Returns a webhook of the size of a customer event. Each of a connection is about another second.
fn request(id: &str, object: &str, user: &str, second: u64) -> String {
    let body = json!({
        "id": id, "object": "event", "api_version": "2025-08-27.basil", "created": 1_757_000_000 + second,
        "livemode": false,
        "type": "customer.updated", "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
        "data": {"object": {
            "id": object, "object": "customer", "address": null, "balance": 0, "created": 1_757_000_000,
            "currency": "usd", "default_source": null, "delinquent": false, "description": null,
            "discount": null, "email": "someone@example.com", "invoice_prefix": "A1B2C3D4", "livemode": false,
            "invoice_settings": {"custom_fields": null, "default_payment_method": null, "footer": null},
            "metadata": {"user_id": user}, "name": format!("Someone {second}"), "next_invoice_sequence": 1, "phone": null,
            "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
        }},
    })
    .to_string();
    let time = Clock::System.now().timestamp();
    let mut mac = Hmac::<Sha256>::new_from_slice(STRIPE_SECRET.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{time}.{body}").as_bytes());
    let mac = hex::encode(mac.finalize().into_bytes());
    format!(
        "POST /webhooks/stripe HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         stripe-signature: t={time},v1={mac}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one reply, which must have status 200.
async fn accepted(stream: &mut TcpStream) -> anyhow::Result<()> {
    const ANSWER: &str = "{\"received\":true}";
    let mut buffer = [0; 4_096];
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..).context("A reply is too long.")?).await?;
        if read == 0 {
            bail!("The server closed the connection.");
        }
        filled += read;
        let text = std::str::from_utf8(&buffer[..filled])?;
        if !text.starts_with("HTTP/1.1 200 ") && text.len() > 12 {
            bail!("A webhook was not accepted: {text}");
        }
        if text.ends_with(ANSWER) {
            return Ok(());
        }
    }
}
