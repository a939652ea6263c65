//! Devices that come and go at random, against a model of the licences that is too simple to be wrong.

use crate::licences::{REGISTER, account};
use crate::support::{TestApp, both_engines, sql};
use chrono::TimeDelta;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

both_engines!(devices_at_random_have_the_places_that_the_model_has);

const STATUS: &str =
    "query($key: String!, $fingerprint: String!) { licenseStatus(key: $key, fingerprint: $fingerprint) {
    valid status reason deviceRegistered devicesUsed maxDevices } }";
const DEVICES: &str = "query($id: ID!) { licenseKey(id: $id) { licenseStatus keyPrefix
    devices { totalCount nodes { id fingerprint firstSeenAt lastSeenAt } }
    all: devices(includeRevoked: true) { totalCount } } }";

/// A licence as the model has it.
struct Licence {
    id: Value,
    /// Every key that it ever had, the present one last.
    keys: Vec<String>,
    max: usize,
    is_active: bool,
    /// The devices with a place, each with the time of its registration and the last one.
    devices: BTreeMap<String, (String, String)>,
    /// Every device that ever had a place.
    registered: usize,
}

/// The steps of a play.
#[derive(Debug)]
enum Step {
    Register,
    Ask,
    RevokeDevice,
    ReplaceKey,
    RevokeLicence,
}

impl Step {
    fn at_random(dice: &mut ChaCha8Rng) -> Step {
        match dice.random_range(0..100) {
            0..45 => Step::Register,
            45..75 => Step::Ask,
            75..92 => Step::RevokeDevice,
            92..98 => Step::ReplaceKey,
            _ => Step::RevokeLicence,
        }
    }
}

impl Licence {
    /// Returns the code of the refusal of a registration, or none if the device gets or keeps its place.
    fn refusal(&self, key: &str, fingerprint: &str) -> Option<&'static str> {
        if self.keys.last().unwrap() != key {
            Some("LICENSE_INVALID")
        } else if !self.is_active {
            Some("LICENSE_REVOKED")
        } else if !self.devices.contains_key(fingerprint) && self.devices.len() >= self.max {
            Some("DEVICE_LIMIT_REACHED")
        } else {
            None
        }
    }

    /// Returns the response to a check.
    fn status(&self, key: &str, fingerprint: &str) -> Value {
        let unknown = json!({"valid": false, "status": "UNKNOWN", "reason": "UNKNOWN_KEY", "deviceRegistered": false,
            "devicesUsed": null, "maxDevices": null});
        if self.keys.last().unwrap() != key {
            return unknown;
        }
        let registered = self.devices.contains_key(fingerprint);
        let reason = match (self.is_active, registered) {
            (false, _) => Some("LICENSE_REVOKED"),
            (true, true) => None,
            (true, false) if self.devices.len() < self.max => Some("DEVICE_NOT_REGISTERED"),
            (true, false) => Some("DEVICE_LIMIT_REACHED"),
        };
        json!({"valid": reason.is_none(), "status": if self.is_active { "ACTIVE" } else { "REVOKED" }, "reason": reason,
            "deviceRegistered": registered, "devicesUsed": self.devices.len(), "maxDevices": self.max})
    }

    fn key(&self, dice: &mut ChaCha8Rng) -> String {
        // Mostly the present key; sometimes one that was replaced.
        let number = if dice.random_bool(0.85) { self.keys.len() - 1 } else { dice.random_range(0..self.keys.len()) };
        self.keys[number].clone()
    }
}

/// Issues a licence for so many devices to Alice.
async fn issue(test: &TestApp, max: usize, key: &str) -> Licence {
    let issue = "mutation($account: ID!, $max: Int!, $key: String!) {
        issueLicenseKey(input: {accountId: $account, maxDevices: $max, idempotencyKey: $key}) {
            key licenseKey { id } userErrors { code } } }";
    let variables = json!({"account": account(test, "alice").await, "max": max, "key": key});
    let mut payload = test.admin().data(issue, variables).await["issueLicenseKey"].take();
    assert_eq!(payload["userErrors"], json!([]));
    Licence {
        id: payload["licenseKey"]["id"].take(),
        keys: vec![payload["key"].as_str().unwrap().to_owned()],
        max,
        is_active: true,
        devices: BTreeMap::new(),
        registered: 0,
    }
}

async fn register(test: &TestApp, licence: &mut Licence, key: &str, fingerprint: &str) {
    let now = test.app.now().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let variables = json!({"key": key, "fingerprint": fingerprint});
    let payload = test.anonymous().data(REGISTER, variables).await["registerDevice"].take();
    match licence.refusal(key, fingerprint) {
        Some(code) => {
            assert_eq!(payload["userErrors"][0]["code"], code, "{payload}");
            assert_eq!(payload["registration"], Value::Null);
        }
        None => {
            let is_new = !licence.devices.contains_key(fingerprint);
            let seen = licence.devices.entry(fingerprint.to_owned()).or_insert_with(|| (now.clone(), now.clone()));
            seen.1 = now;
            licence.registered += usize::from(is_new);
            let registration = json!({"fingerprint": fingerprint, "registeredAt": seen.0,
                "devicesUsed": licence.devices.len(), "maxDevices": licence.max});
            assert_eq!(payload, json!({"registration": registration, "userErrors": []}));
        }
    }
}

async fn ask(test: &TestApp, licence: &Licence, key: &str, fingerprint: &str) {
    let variables = json!({"key": key, "fingerprint": fingerprint});
    let found = test.anonymous().data(STATUS, variables).await["licenseStatus"].take();
    assert_eq!(found, licence.status(key, fingerprint), "{fingerprint}");
}

/// Revokes a device of the licence, if it has one with this fingerprint.
async fn revoke_device(test: &TestApp, licence: &mut Licence, fingerprint: &str) {
    if licence.devices.remove(fingerprint).is_none() {
        return;
    }
    let shown = test.user("alice").data(DEVICES, json!({"id": licence.id})).await["licenseKey"].take();
    let devices = shown["devices"]["nodes"].as_array().unwrap();
    let device = devices.iter().find(|device| device["fingerprint"] == fingerprint).unwrap();
    let revoke = "mutation($id: ID!) { revokeDevice(input: {deviceId: $id}) {
        device { id revokedAt } userErrors { code } } }";
    let revoked = test.user("alice").data(revoke, json!({"id": device["id"]})).await["revokeDevice"].take();
    let now = test.app.now().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    assert_eq!(revoked, json!({"device": {"id": device["id"], "revokedAt": now}, "userErrors": []}));
}

async fn replace_key(test: &TestApp, licence: &mut Licence) {
    let replace = "mutation($id: ID!) { replaceLicenseKey(input: {licenseKeyId: $id}) {
        licenseKey { keyPrefix } key userErrors { code } } }";
    let replaced = test.user("alice").data(replace, json!({"id": licence.id})).await["replaceLicenseKey"].take();
    if !licence.is_active {
        assert_eq!(replaced["userErrors"], json!([{"code": "LICENSE_REVOKED"}]));
        return;
    }
    let key = replaced["key"].as_str().unwrap().to_owned();
    assert!(!licence.keys.contains(&key));
    assert!(key.starts_with(replaced["licenseKey"]["keyPrefix"].as_str().unwrap()), "{replaced}");
    licence.keys.push(key);
}

async fn revoke_licence(test: &TestApp, licence: &mut Licence) {
    let revoke = "mutation($id: ID!) { revokeLicenseKey(input: {licenseKeyId: $id, reason: \"by chance\"}) {
        licenseKey { licenseStatus } userErrors { code } } }";
    let revoked = test.admin().data(revoke, json!({"id": licence.id})).await["revokeLicenseKey"].take();
    assert_eq!(revoked, json!({"licenseKey": {"licenseStatus": "REVOKED"}, "userErrors": []}));
    licence.is_active = false;
}

/// Compares the owner's view of a licence with the model.
async fn compare(test: &TestApp, licence: &Licence) {
    let shown = test.user("alice").data(DEVICES, json!({"id": licence.id})).await["licenseKey"].take();
    assert_eq!(shown["licenseStatus"], if licence.is_active { "ACTIVE" } else { "REVOKED" });
    assert!(licence.keys.last().unwrap().starts_with(shown["keyPrefix"].as_str().unwrap()));
    assert_eq!(shown["devices"]["totalCount"], licence.devices.len());
    assert_eq!(shown["all"]["totalCount"], licence.registered);
    let devices = shown["devices"]["nodes"].as_array().unwrap();
    let mut names: Vec<_> = devices.iter().map(|device| device["fingerprint"].as_str().unwrap()).collect();
    for device in devices {
        let (first, last) = &licence.devices[device["fingerprint"].as_str().unwrap()];
        assert_eq!(device["firstSeenAt"], first.as_str());
        // A check moves it at most once in a minute, so that it is not before the last registration.
        assert!(device["lastSeenAt"].as_str().unwrap() >= last.as_str(), "{device}");
    }
    names.sort_unstable();
    assert_eq!(names, licence.devices.keys().map(String::as_str).collect::<Vec<_>>());
}

async fn devices_at_random_have_the_places_that_the_model_has(test: &TestApp) {
    for seed in 0..3 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut licences = Vec::new();
        for max in [1, 2, 3] {
            licences.push(issue(test, max, &format!("licence {seed} {max}")).await);
        }
        for _ in 0..70 {
            // Each check counts against the limit of one address.
            test.advance(TimeDelta::seconds(dice.random_range(2..40)));
            let licence = &mut licences[dice.random_range(0..3)];
            let (key, fingerprint) = (licence.key(&mut dice), format!("device-{}", dice.random_range(0..5)));
            match Step::at_random(&mut dice) {
                Step::Register => register(test, licence, &key, &fingerprint).await,
                Step::Ask => ask(test, licence, &key, &fingerprint).await,
                Step::RevokeDevice => revoke_device(test, licence, &fingerprint).await,
                Step::ReplaceKey => replace_key(test, licence).await,
                Step::RevokeLicence if licence.is_active => revoke_licence(test, licence).await,
                Step::RevokeLicence => {}
            }
        }
        for licence in &licences {
            compare(test, licence).await;
            let current = licence.keys.last().unwrap();
            for key in &licence.keys {
                test.advance(TimeDelta::seconds(5));
                ask(test, licence, key, "device-0").await;
                assert_eq!(licence.status(key, "device-0")["status"] == "UNKNOWN", key != current);
            }
        }
    }
    // No licence has more devices with a place than it may.
    let crowded = "SELECT COUNT(*) FROM license_keys l WHERE (SELECT COUNT(*) FROM devices d \
        WHERE d.license_key_id = l.id AND d.revoked_at IS NULL) > l.max_devices";
    assert_eq!(sql::number(test.app.db.read(), crowded).await, 0);
}
