//! Client certificates of everybody, with the words that an operator knows them by.

use claviger_catalog::Alg;

use super::{auth_options::option, *};
use crate::{
    domain::client_key::{ClientKey, Purpose},
    id::ClientKeyId,
    store::Certificate,
};

#[tokio::test]
async fn certificates_of_every_workspace_are_found_and_no_other_keys() {
    on_each(async |store| {
        let Scene { ws, integration: of, foreign, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let way = option(&of, "b", 0);
        conn.create_auth_option(&ws, &way).await.unwrap();
        for (at, of, option, purpose, pem) in [
            (0, &of, None, Purpose::Certificate, "one"),
            (1, &of, Some(&way.id), Purpose::Certificate, "two"),
            (2, &foreign, None, Purpose::Certificate, "three"),
            (3, &of, None, Purpose::Signing, "{}"),
        ] {
            let key = ClientKey {
                id: ClientKeyId::new(),
                workspace_id: of.workspace_id.clone(),
                integration_id: of.id.clone(),
                option_id: option.cloned(),
                purpose,
                alg: Alg::ES256,
                public: pem.to_owned(),
                secret: sealed("v1.k1.a.b"),
                signs_from: T0,
                created_at: later(at),
            };
            conn.create_client_key(&of.workspace_id, &key).await.unwrap();
        }
        let found = conn.any_certificates().await.unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|Certificate { integration, option, pem, .. }| {
                (integration.as_str(), option.as_deref(), pem.as_str())
            })
            .collect();
        let (ours, theirs) = (of.key.as_str(), foreign.key.as_str());
        assert_eq!(told, [(ours, None, "one"), (ours, Some("b"), "two"), (theirs, None, "three")]);
        assert!(found[0].workspace == found[1].workspace && found[0].workspace != found[2].workspace);
    })
    .await;
}
