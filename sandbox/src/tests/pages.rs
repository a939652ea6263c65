//! The pages that customers see.

use super::*;

async fn visit(shop: &Shop, method: &str, path: &str, form: &str) -> (u16, String, String) {
    let request = Request::builder().method(method).uri(path).header("host", "stripe.test");
    let request = request.body(Body::from(form.to_owned())).unwrap();
    let (parts, body) = shop.sandbox.router().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    let location = parts.headers.get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
    (parts.status.as_u16(), location, text)
}

#[tokio::test]
async fn a_checkout_is_paid_on_its_page() {
    let shop = Shop::open().await;
    shop.ok("products/prod_pro", &[("name", "Pro <b>&\"plan\"")]).await;
    shop.ok("coupons", &[("id", "half"), ("percent_off", "50"), ("duration", "once")]).await;
    shop.ok("promotion_codes", &[("coupon", "half"), ("code", "HALF")]).await;
    let pairs = [
        ("mode", "subscription"),
        ("success_url", "https://a.example/done?session={CHECKOUT_SESSION_ID}"),
        ("cancel_url", "javascript:alert(1)"),
        ("customer", shop.customer.as_str()),
        ("line_items[0][price]", &shop.monthly),
        ("line_items[0][quantity]", "1"),
        ("allow_promotion_codes", "true"),
    ];
    let session = shop.made("checkout/sessions", &pairs).await;
    let path = format!("/pay/{session}");
    let (status, _, page) = visit(&shop, "GET", &path, "").await;
    assert_eq!(status, 200);
    assert!(page.contains("stand-in for Stripe. No money moves"), "{page}");
    assert!(page.contains("1 × Pro &lt;b&gt;&amp;&quot;plan&quot;") && page.contains("30.00 USD per month"), "{page}");
    assert!(!page.contains("<script") && !page.contains("javascript:"), "{page}");
    let (_, _, page) = visit(&shop, "POST", &path, "code=%3Cb%3E").await;
    assert!(page.contains("This code is invalid."), "{page}");
    assert_eq!(visit(&shop, "POST", &path, "code=half").await.1, path);
    let (_, _, page) = visit(&shop, "GET", &path, "").await;
    assert!(page.contains("-15.00 USD"), "{page}");
    let (status, _, page) = visit(&shop, "POST", &path, "card=declined").await;
    assert_eq!((status, page.contains("Your card was declined.")), (402, true));
    let (_, confirmation, _) = visit(&shop, "POST", &path, "card=authenticate").await;
    assert!(confirmation.starts_with("/confirm/pi_"));
    assert!(visit(&shop, "GET", &confirmation, "").await.2.contains("pay 15.00 USD"));
    assert_eq!(visit(&shop, "POST", &confirmation, "action=refuse").await.1, path);
    assert_eq!(visit(&shop, "GET", &confirmation, "").await.0, 404);
    let (status, location, _) = visit(&shop, "POST", &path, "card=good").await;
    assert_eq!((status, location), (303, format!("https://a.example/done?session={session}")));
    assert_eq!(visit(&shop, "GET", &path, "").await.0, 404);
    assert_eq!(visit(&shop, "POST", &path, "card=good").await.0, 404);
}

#[tokio::test]
async fn a_customer_cancels_in_the_portal_and_comes_back() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[]).await;
    let id = subscription["id"].as_str().unwrap();
    let pairs = [("customer", shop.customer.as_str()), ("return_url", "https://a.example/")];
    let session = shop.ok("billing_portal/sessions", &pairs).await;
    let path = session["url"].as_str().unwrap().trim_start_matches("http://stripe.test").to_owned();
    let (_, _, page) = visit(&shop, "GET", &path, "").await;
    assert!(page.contains("Renews on 2026-02-15") && page.contains("ends in 4242"), "{page}");
    assert_eq!(visit(&shop, "POST", &path, &format!("action=cancel&subscription={id}")).await.1, path);
    let ending = shop.object(&subscription["id"]);
    assert_eq!(ending["cancel_at"], at(&subscription, "/items/data/0/current_period_end"));
    assert_eq!(ending["cancel_at_period_end"], false);
    visit(&shop, "POST", &path, &format!("action=keep&subscription={id}")).await;
    assert_eq!(shop.object(&subscription["id"])["cancel_at"], json!(null));
    visit(&shop, "POST", &path, "card=declined").await;
    shop.pass(32);
    assert_eq!(shop.object(&subscription["id"])["status"], "past_due");
    let other = shop.made("customers", &[]).await;
    let session = shop.ok("billing_portal/sessions", &[("customer", &other)]).await;
    let path = session["url"].as_str().unwrap().trim_start_matches("http://stripe.test").to_owned();
    assert_eq!(visit(&shop, "POST", &path, &format!("action=cancel&subscription={id}")).await.0, 400);
}
