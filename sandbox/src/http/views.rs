//! The HTML of the pages that customers see.

use chrono::DateTime;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use crate::objects::basket;
use crate::objects::lines::full_amount;
use crate::store::{Store, list, number, text};
use crate::terms::format_amount;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#1d2433}\
    .note{background:#fff4d6;border:1px solid #e5c365;border-radius:6px;padding:.6rem .9rem}\
    .error{background:#fde8e8;border:1px solid #d98c8c;border-radius:6px;padding:.6rem .9rem}\
    table{width:100%;border-collapse:collapse;margin:1rem 0}td{padding:.35rem 0;border-bottom:1px solid #e3e6ec}\
    td:last-child{text-align:right;white-space:nowrap}.sum td{font-weight:600;border-bottom:0}\
    button{font:inherit;padding:.5rem .9rem;margin:.2rem .3rem .2rem 0;border:1px solid #8a93a6;border-radius:6px;\
    background:#fff;cursor:pointer}button.main{background:#24417e;border-color:#24417e;color:#fff}\
    .stack button{display:block;width:100%;text-align:left;margin:.4rem 0}pre{background:#f3f5f9;border-radius:6px;\
    padding:.7rem .9rem;overflow-x:auto}input{font:inherit;padding:.45rem;border:1px solid #8a93a6;border-radius:6px}";

/// The query on the success page.
const QUERY: &str =
    "{ viewer {\n  plan { status plan { name } trialEnd }\n  account { creditBalances { available } }\n} }";

/// Returns a page with this title and content.
fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                p.note { strong { "This is a stand-in for Stripe. No money moves" } ", and no card is asked for." }
                h1 { (title) }
                (content)
            }
        }
    }
}

/// Returns a page with one message.
pub(crate) fn message(title: &str, text: &str) -> Markup {
    page(title, &html! { p { (text) } })
}

/// Returns the success page for sellers without one of their own.
pub(crate) fn paid() -> Markup {
    let content = html! {
        p {
            "This is where your application continues. A webhook notifies the gateway, and a moment later the purchase \
             shows there. Query it with the token of the buyer:"
        }
        pre { (QUERY) }
        p { a href="/graphql" { "Open GraphiQL" } }
    };
    page("Thank you", &content)
}

fn alert(text: Option<&str>) -> Markup {
    html! { @if let Some(text) = text { p.error role="alert" { (text) } } }
}

fn button(name: &str, value: &str, label: &str) -> Markup {
    html! { button name=(name) value=(value) { (label) } }
}

fn main_button(name: &str, value: &str, label: &str) -> Markup {
    html! { button.main name=(name) value=(value) { (label) } }
}

/// Returns a link to a page of the seller, or nothing if the URL is none of a web page.
fn link(url: &str, label: &str) -> Markup {
    let is_web_page = url.starts_with("https://") || url.starts_with("http://");
    html! { @if is_web_page { p { a href=(url) { (label) } } } }
}

fn interval(price: &Value) -> String {
    let (interval, count) = (text(&price["recurring"], "interval"), number(&price["recurring"], "interval_count"));
    match (interval, count) {
        ("", _) => String::new(),
        (interval, 0 | 1) => format!(" per {interval}"),
        (interval, count) => format!(" every {count} {interval}s"),
    }
}

/// Returns the page of a session that can be paid.
pub(crate) fn checkout(store: &Store, session: &Value, error: Option<&str>) -> Markup {
    let basket = basket::load(store, text(session, "id"));
    let currency = text(session, "currency");
    let discount = number(&session["total_details"], "amount_discount");
    let content = html! {
        (alert(error))
        table {
            @for line in list(&basket["lines"]) {
                tr {
                    td { (number(line, "quantity")) " × " (text(line, "description")) }
                    td { (format_amount(number(line, "amount_subtotal"), currency)) (interval(&line["price"])) }
                }
            }
            @if discount > 0 { tr { td { "Discount" } td { (format_amount(-discount, currency)) } } }
            tr.sum { td { "To pay now" } td { (format_amount(number(session, "amount_total"), currency)) } }
        }
        @if let Some(seconds) = basket["trial"].as_i64() {
            p { "Free for " (seconds / 86_400) " days; after that as above." }
        }
        @if session["allow_promotion_codes"] == true {
            form method="post" {
                label { "Promotion code " input name="code" required; } " "
                button { "Apply" }
            }
        }
        form.stack method="post" {
            (main_button("card", "good", "Pay with a card that works"))
            (button("card", "declined", "Pay with a card that is declined"))
            (button("card", "authenticate", "Pay with a card that asks for confirmation"))
        }
        (link(text(session, "cancel_url"), "Cancel"))
    };
    page("Checkout", &content)
}

/// Returns the page on which the cardholder confirms a payment.
pub(crate) fn confirmation(intent: &Value) -> Markup {
    let content = html! {
        p {
            "Your bank asks for your confirmation to pay "
            (format_amount(number(intent, "amount"), text(intent, "currency"))) "."
        }
        form method="post" {
            (main_button("action", "confirm", "Confirm"))
            (button("action", "refuse", "Refuse"))
        }
    };
    page("Confirm the payment", &content)
}

fn day(seconds: &Value) -> String {
    let at = seconds.as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    at.map_or(String::new(), |at| at.format("%Y-%m-%d").to_string())
}

/// Returns the page on which customers change their subscriptions and their card.
pub(crate) fn portal(store: &Store, session: &Value, error: Option<&str>) -> Markup {
    let customer = text(session, "customer");
    let method = store.get(text(&store.get(customer)["invoice_settings"], "default_payment_method"));
    let digits = text(&method["card"], "last4");
    let content = html! {
        (alert(error))
        @for subscription in store.find_all("subscription", "customer", customer).iter().rev() {
            (section(store, subscription))
        }
        h2 { "Card" }
        p { @if digits.is_empty() { "You have no card." } @else { "You pay with the card that ends in " (digits) "." } }
        form.stack method="post" {
            (button("card", "good", "Use a card that works"))
            (button("card", "declined", "Use a card that is declined"))
        }
        (link(text(session, "return_url"), "Back"))
    };
    page("Your subscriptions", &content)
}

fn section(store: &Store, subscription: &Value) -> Markup {
    let currency = text(subscription, "currency");
    html! {
        h2 { (text(subscription, "status")) }
        table {
            @for item in list(&subscription["items"]["data"]) {
                tr {
                    td {
                        (number(item, "quantity")) " × "
                        (text(store.get(text(&item["price"], "product")), "name"))
                    }
                    td { (format_amount(full_amount(item), currency)) (interval(&item["price"])) }
                }
            }
        }
        @if !subscription["ended_at"].is_null() {
            p { "Ended on " (day(&subscription["ended_at"])) "." }
        } @else {
            @let cancel_at = &subscription["cancel_at"];
            p {
                @if cancel_at.is_null() {
                    "Renews on " (day(&subscription["items"]["data"][0]["current_period_end"])) "."
                } @else { "Ends on " (day(cancel_at)) "." }
            }
            form method="post" {
                input type="hidden" name="subscription" value=(text(subscription, "id"));
                @if cancel_at.is_null() { (button("action", "cancel", "Cancel at the end of the period")) }
                @else { (main_button("action", "keep", "Do not cancel")) }
            }
        }
    }
}
