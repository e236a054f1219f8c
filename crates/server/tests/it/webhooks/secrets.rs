//! A secret is rolled without losing a delivery: for a while both sign, then the new one alone.

use std::time::Duration;

use super::*;
use crate::support::on_each;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn both_secrets_sign_until_the_overlap_is_over() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, old) = endpoint(app, &hook.url).await;
        let of = connection(app);
        let waiting = tell(app, &of, EventKind::ConnectionCreated).await;
        let (_, new) = app.change(async |change| setup::roll_webhook_secret(change, &to, HOUR).await).await;
        assert_ne!(old.expose(), new.expose());
        app.pass(HOUR - Duration::from_millis(1));
        assert_eq!(rounds(app).await, 1);
        let told = hook.seen().remove(0);
        assert_eq!(told.id(), waiting, "what was emitted before the roll");
        assert!(told.signed("bundleup-signature", old.expose()), "every receiver still has the old one");
        assert!(told.signed("bundleup-signature-next", new.expose()));
        assert!(told.signed_standard(old.expose()) && told.signed_standard(new.expose()));
        assert_eq!(told.header("webhook-signature").split(' ').count(), 2);

        tell(app, &of, EventKind::ConnectionUpdated).await;
        app.pass(Duration::from_millis(1));
        assert_eq!(rounds(app).await, 1);
        let told = hook.seen().remove(1);
        assert!(told.signed("bundleup-signature", new.expose()) && told.signed_standard(new.expose()));
        assert!(!told.signed_standard(old.expose()));
        assert!(!told.headers.contains_key("bundleup-signature-next"));
        assert_eq!(told.header("webhook-signature").split(' ').count(), 1);
    })
    .await;
}
