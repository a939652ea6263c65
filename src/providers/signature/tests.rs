use super::*;
use crate::providers::{paddle, stripe};
use proptest::prelude::*;

const SECRETS: [&str; 2] = ["whsec_new_0123456789", "whsec_old_9876543210"];
const TOLERANCE: Duration = Duration::from_secs(300);
const SCHEMES: [Scheme; 2] = [
    Scheme { separator: ',', time: "t", mac: "v1", delimiter: b"." },
    Scheme { separator: ';', time: "ts", mac: "h1", delimiter: b":" },
];

fn now() -> DateTime<Utc> {
    "2026-01-15T12:00:00.9Z".parse().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

fn mac(scheme: &Scheme, secret: &str, time: &str, body: &[u8]) -> String {
    hex(&scheme.mac(&Secret::new(secret), time, body))
}

fn signed(scheme: &Scheme, secret: &str, time: i64, body: &[u8]) -> String {
    let mac = mac(scheme, secret, &time.to_string(), body);
    format!("{}={time}{}{}={mac}", scheme.time, scheme.separator, scheme.mac)
}

fn verify(scheme: &Scheme, header: Option<&str>, body: &[u8]) -> Result<(), Forgery> {
    scheme.verify(header, body, &SECRETS.map(Secret::new), TOLERANCE, now())
}

#[test]
fn what_others_have_computed_is_accepted() {
    // The first by `webhooks.generateTestHeaderString` of the npm package stripe, the second by node's `crypto` and
    // accepted by `webhooks.isSignatureValid` of @paddle/paddle-node-sdk; the body and the time are the same.
    let body = "{\"id\":\"evt_1\",\"note\":\"é ✓ \\u0000\"}\n".as_bytes();
    let now = DateTime::from_timestamp(1_768_478_400, 0).unwrap();
    let providers = crate::config::Config::load(
        None,
        [
            ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", "whsec_vector_0123456789"),
            ("TOLLGATE_PADDLE_WEBHOOK_SECRETS", "pdl_ntfset_vector_0123456789"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter(),
    )
    .unwrap()
    .providers;
    let of_stripe = "t=1768478400,v1=15ab53b95ac1bcb5409ab0db434647f1e0337f850dae189d01b152a7d807d11a";
    let of_paddle = "ts=1768478400;h1=b8007c247111c90abede1ca58960555ef5a0a15088b2595d7a32473e02998322";
    assert_eq!(stripe::signature::verify(&providers.stripe, Some(of_stripe), body, now), Ok(()));
    assert_eq!(paddle::signature::verify(&providers.paddle, Some(of_paddle), body, now), Ok(()));
    assert_eq!(stripe::signature::verify(&providers.stripe, Some(of_paddle), body, now), Err(Forgery::NoTimestamp));
    assert_eq!(paddle::signature::verify(&providers.paddle, Some(of_stripe), body, now), Err(Forgery::NoTimestamp));
}

#[test]
fn any_of_several_signatures_and_any_of_several_secrets_will_do() {
    for scheme in &SCHEMES {
        let (time, separator, name) = (now().timestamp().to_string(), scheme.separator, scheme.mac);
        let [new, old, other] =
            [SECRETS[0], SECRETS[1], "whsec_of_someone_else"].map(|secret| mac(scheme, secret, &time, b"{}"));
        for (macs, expected) in [
            (vec![&new], Ok(())),
            (vec![&old], Ok(())),
            (vec![&other, &old], Ok(())),
            (vec![&new, &other], Ok(())),
            (vec![&other, &other], Err(Forgery::NoMatch)),
            (vec![], Err(Forgery::NoMatch)),
        ] {
            let macs: String = macs.iter().map(|mac| format!("{separator}{name}={mac}")).collect();
            let header = format!("{}={time}{macs}", scheme.time);
            assert_eq!(verify(scheme, Some(&header), b"{}"), expected, "{header}");
            let with_others = format!("{header}{separator} v0=abc{separator}x=");
            assert_eq!(verify(scheme, Some(&with_others), b"{}"), expected, "{with_others}");
        }
        assert_eq!(scheme.verify(Some(&signed(scheme, "", 0, b"")), b"", &[], TOLERANCE, now()), Err(Forgery::NoMatch));
    }
}

#[test]
fn the_time_is_within_the_tolerance_on_both_sides() {
    for scheme in &SCHEMES {
        for (off, expected) in [
            (0, Ok(())),
            (-300, Ok(())),
            (300, Ok(())),
            (-301, Err(Forgery::TooOld)),
            (301, Err(Forgery::FromTheFuture)),
            (-now().timestamp(), Err(Forgery::TooOld)),
            (i64::MAX - now().timestamp(), Err(Forgery::FromTheFuture)),
        ] {
            let header = signed(scheme, SECRETS[0], now().timestamp() + off, b"{}");
            assert_eq!(verify(scheme, Some(&header), b"{}"), expected, "{header}");
        }
    }
}

#[test]
fn each_fault_has_its_reason() {
    for scheme in &SCHEMES {
        let (time, separator, name) = (now().timestamp(), scheme.separator, scheme.mac);
        let good = signed(scheme, SECRETS[0], time, b"{}");
        let mac = mac(scheme, SECRETS[0], &time.to_string(), b"{}");
        assert_eq!(verify(scheme, Some(&good), b"{}"), Ok(()));
        assert_eq!(verify(scheme, None, b"{}"), Err(Forgery::Missing));
        for (header, expected) in [
            (String::new(), Forgery::Malformed),
            ("ts==;,v1".to_owned(), Forgery::Malformed),
            (format!("{good}{separator}"), Forgery::Malformed),
            (format!("{good}{separator}{}={time}", scheme.time), Forgery::Malformed),
            (good.replace('=', ":"), Forgery::Malformed),
            (format!("{good}{separator}x={}", "0".repeat(MAX_HEADER_BYTES)), Forgery::Malformed),
            (format!("{}={separator}{name}={mac}", scheme.time), Forgery::Malformed),
            (format!("{}=-{time}{separator}{name}={mac}", scheme.time), Forgery::Malformed),
            (format!("{}=+{time}{separator}{name}={mac}", scheme.time), Forgery::Malformed),
            (format!("{}={time}.0{separator}{name}={mac}", scheme.time), Forgery::Malformed),
            (format!("{}={}{separator}{name}={mac}", scheme.time, "9".repeat(30)), Forgery::Malformed),
            (format!("{name}={mac}"), Forgery::NoTimestamp),
            (good.replace(name, "v0"), Forgery::NoMatch),
            (good.replace(&mac, &mac[..40]), Forgery::NoMatch),
            (good.replace(&mac, &"é".repeat(32)), Forgery::NoMatch),
            (good.replace(&time.to_string(), &(time + 7).to_string()), Forgery::NoMatch),
            (good.replace(&time.to_string(), &format!("0{time}")), Forgery::NoMatch),
            (signed(scheme, "whsec_new_0123456789x", time, b"{}"), Forgery::NoMatch),
            (signed(scheme, SECRETS[0], time, b"{} "), Forgery::NoMatch),
        ] {
            assert_eq!(verify(scheme, Some(&header), b"{}"), Err(expected), "{header}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_signed_passes_and_nothing_that_differs_from_it(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        off in -300_i64..=300,
        (at, bit) in (any::<prop::sample::Index>(), 0_u32..8),
    ) {
        for scheme in &SCHEMES {
            let header = signed(scheme, SECRETS[1], now().timestamp() + off, &body);
            prop_assert_eq!(verify(scheme, Some(&header), &body), Ok(()));
            let mut changed = body.clone();
            changed.push(0);
            prop_assert_eq!(verify(scheme, Some(&header), &changed), Err(Forgery::NoMatch));
            if !body.is_empty() {
                changed.pop();
                changed[at.index(body.len())] ^= 1_u8 << bit;
                prop_assert_eq!(verify(scheme, Some(&header), &changed), Err(Forgery::NoMatch));
            }
            let digit = header.len() - 1 - at.index(2 * MAC_BYTES);
            let other = if header.as_bytes()[digit] == b'0' { "1" } else { "0" };
            let mut forged = header.clone();
            forged.replace_range(digit..=digit, other);
            prop_assert_eq!(verify(scheme, Some(&forged), &body), Err(Forgery::NoMatch));
        }
    }

    #[test]
    fn no_header_breaks_the_reader(header in "\\PC{0,80}", pairs in "((t|ts|v1|h1)=[0-9a-f]{0,70}[,;]?){0,6}") {
        for scheme in &SCHEMES {
            let passed = [&header, &pairs].iter().any(|header| verify(scheme, Some(header), &[]).is_ok());
            prop_assert!(!passed, "{header} {pairs}");
        }
    }
}
