//! The pages that customers see: what they buy, what they have.

use std::fmt::Write as _;

use chrono::DateTime;
use serde_json::Value;

use super::basket;
use super::lines::full_amount;
use super::state::{State, list, number, text};
use super::terms::written;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#1d2433}\
    .note{background:#fff4d6;border:1px solid #e5c365;border-radius:6px;padding:.6rem .9rem}\
    .error{background:#fde8e8;border:1px solid #d98c8c;border-radius:6px;padding:.6rem .9rem}\
    table{width:100%;border-collapse:collapse;margin:1rem 0}td{padding:.35rem 0;border-bottom:1px solid #e3e6ec}\
    td:last-child{text-align:right;white-space:nowrap}.sum td{font-weight:600;border-bottom:0}\
    button{font:inherit;padding:.5rem .9rem;margin:.2rem .3rem .2rem 0;border:1px solid #8a93a6;border-radius:6px;\
    background:#fff;cursor:pointer}button.main{background:#24417e;border-color:#24417e;color:#fff}\
    .stack button{display:block;width:100%;text-align:left;margin:.4rem 0}pre{background:#f3f5f9;border-radius:6px;\
    padding:.7rem .9rem;overflow-x:auto}input{font:inherit;padding:.45rem;border:1px solid #8a93a6;border-radius:6px}";

/// A text that stands for itself in HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A whole page; `body` is HTML.
pub(super) fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body>\
         <p class=\"note\"><strong>This is a stand-in for Stripe. No money moves</strong>, and no card is asked for.</p>\
         <h1>{title}</h1>{body}</body></html>\n"
    )
}

/// A page that says one thing.
pub(super) fn message(title: &str, text: &str) -> String {
    page(title, &format!("<p>{}</p>", escape(text)))
}

/// Where a seller who has no page of their own sends who has paid.
pub(super) fn paid() -> String {
    let body = "<p>Here your application goes on. The gateway is told by a webhook, and a moment later has what was \
                bought. Ask it as the one who paid:</p>\
                <pre>{ viewer {\n  plan { status plan { name } trialEnd }\n  account { creditBalances { available } }\n} }</pre>\
                <p><a href=\"/graphql\">Open GraphiQL</a></p>";
    page("Thank you", body)
}

fn error(text: Option<&str>) -> String {
    text.map_or(String::new(), |text| format!("<p class=\"error\" role=\"alert\">{}</p>", escape(text)))
}

fn button(name: &str, value: &str, label: &str, main: bool) -> String {
    let class = if main { " class=\"main\"" } else { "" };
    format!("<button{class} name=\"{name}\" value=\"{}\">{}</button>", escape(value), escape(label))
}

/// A link to where the seller wants; none to what is no page.
fn link(url: &str, label: &str) -> String {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return String::new();
    }
    format!("<p><a href=\"{}\">{}</a></p>", escape(url), escape(label))
}

fn often(price: &Value) -> String {
    let (interval, count) = (text(&price["recurring"], "interval"), number(&price["recurring"], "interval_count"));
    match (interval, count) {
        ("", _) => String::new(),
        (interval, 0 | 1) => format!(" per {interval}"),
        (interval, count) => format!(" every {count} {interval}s"),
    }
}

/// The page of a session that can be paid.
pub(super) fn checkout(state: &State, session: &Value, wrong: Option<&str>) -> String {
    let notes = basket::of(state, text(session, "id"));
    let currency = text(session, "currency");
    let mut rows = String::new();
    for line in list(&notes["lines"]) {
        let (quantity, name) = (number(line, "quantity"), escape(text(line, "description")));
        let amount = written(number(line, "amount_subtotal"), currency);
        _ = write!(rows, "<tr><td>{quantity} × {name}</td><td>{amount}{}</td></tr>", often(&line["price"]));
    }
    let off = number(&session["total_details"], "amount_discount");
    if off > 0 {
        _ = write!(rows, "<tr><td>Discount</td><td>{}</td></tr>", written(-off, currency));
    }
    let due = written(number(session, "amount_total"), currency);
    _ = write!(rows, "<tr class=\"sum\"><td>To pay now</td><td>{due}</td></tr>");
    let trial = notes["trial"]
        .as_i64()
        .map_or(String::new(), |seconds| format!("<p>Free for {} days; after that as above.</p>", seconds / 86_400));
    let code = match session["allow_promotion_codes"] == true {
        false => String::new(),
        true => "<form method=\"post\"><label>Promotion code <input name=\"code\" required></label> \
                 <button>Use it</button></form>"
            .to_owned(),
    };
    let cards = [
        button("card", "good", "Pay with a card that works", true),
        button("card", "declined", "Pay with a card that is declined", false),
        button("card", "authenticate", "Pay with a card that asks for confirmation", false),
    ];
    let body = format!(
        "{}<table>{rows}</table>{trial}{code}<form method=\"post\" class=\"stack\">{}</form>{}",
        error(wrong),
        cards.concat(),
        link(text(session, "cancel_url"), "Cancel"),
    );
    page("Checkout", &body)
}

/// The page on which the holder of a card confirms that it is them.
pub(super) fn confirmation(intent: &Value) -> String {
    let amount = written(number(intent, "amount"), text(intent, "currency"));
    let body = format!(
        "<p>Your bank asks whether you want to pay {amount}.</p><form method=\"post\">{}{}</form>",
        button("deed", "yes", "Confirm", true),
        button("deed", "no", "Refuse", false),
    );
    page("Confirm the payment", &body)
}

fn day(seconds: &Value) -> String {
    let at = seconds.as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    at.map_or(String::new(), |at| at.format("%Y-%m-%d").to_string())
}

/// The page on which customers change what they have.
pub(super) fn portal(state: &State, session: &Value, wrong: Option<&str>) -> String {
    let customer = text(session, "customer");
    let mut body = error(wrong);
    for subscription in state.with("subscription", "customer", customer).iter().rev() {
        body.push_str(&section(state, subscription));
    }
    let method = state.get(text(&state.get(customer)["invoice_settings"], "default_payment_method"));
    let card = match text(&method["card"], "last4") {
        "" => "You have no card.".to_owned(),
        last4 => format!("You pay with the card that ends in {}.", escape(last4)),
    };
    let cards = [
        button("card", "good", "Use a card that works", false),
        button("card", "declined", "Use a card that is declined", false),
    ];
    let back = link(text(session, "return_url"), "Back");
    _ = write!(body, "<h2>Card</h2><p>{card}</p><form method=\"post\" class=\"stack\">{}</form>{back}", cards.concat());
    page("Your subscriptions", &body)
}

fn section(state: &State, subscription: &Value) -> String {
    let (id, currency) = (text(subscription, "id"), text(subscription, "currency"));
    let mut rows = String::new();
    for item in list(&subscription["items"]["data"]) {
        let name = escape(text(state.get(text(&item["price"], "product")), "name"));
        let amount = written(full_amount(item), currency);
        let (quantity, often) = (number(item, "quantity"), often(&item["price"]));
        _ = write!(rows, "<tr><td>{quantity} × {name}</td><td>{amount}{often}</td></tr>");
    }
    let hidden = format!("<input type=\"hidden\" name=\"subscription\" value=\"{}\">", escape(id));
    let (when, deed) = if !subscription["ended_at"].is_null() {
        (format!("Ended on {}.", day(&subscription["ended_at"])), String::new())
    } else if !subscription["cancel_at"].is_null() {
        let keep = button("deed", "keep", "Do not cancel", true);
        (format!("Ends on {}.", day(&subscription["cancel_at"])), keep)
    } else {
        let end = day(&subscription["items"]["data"][0]["current_period_end"]);
        (format!("Renews on {end}."), button("deed", "cancel", "Cancel at the end of the period", false))
    };
    let status = escape(text(subscription, "status"));
    format!("<h2>{status}</h2><table>{rows}</table><p>{when}</p><form method=\"post\">{hidden}{deed}</form>")
}
