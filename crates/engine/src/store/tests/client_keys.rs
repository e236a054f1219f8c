//! Our own keys towards providers: kept by integration and option, found under either id, gone with them.

use claviger_catalog::Alg;

use super::{auth_options::option, *};
use crate::{
    domain::client_key::{ClientKey, Purpose},
    id::{AuthOptionId, ClientKeyId},
};

fn key(of: &Integration, option: Option<&AuthOptionId>, purpose: Purpose) -> ClientKey {
    ClientKey {
        id: ClientKeyId::new(),
        workspace_id: of.workspace_id.clone(),
        integration_id: of.id.clone(),
        option_id: option.cloned(),
        purpose,
        alg: Alg::ES256,
        public: "{\"kty\":\"EC\"}".to_owned(),
        secret: sealed("v1.k1.a.b"),
        signs_from: later(60),
        created_at: T0,
    }
}

#[tokio::test]
async fn keys_belong_to_an_integration_or_to_one_of_its_options() {
    on_each(async |store| {
        let Scene { ws, other, integration: of, foreign } = scene(&store).await;
        let mut conn = begin(&store).await;
        let way = option(&of, "b", 0);
        conn.create_auth_option(&ws, &way).await.unwrap();
        let own = key(&of, None, Purpose::Signing);
        let later_one = ClientKey { created_at: later(1), ..key(&of, None, Purpose::Signing) };
        let its = key(&of, Some(&way.id), Purpose::Signing);
        let shown = key(&of, None, Purpose::Certificate);
        for made in [&later_one, &own, &its, &shown] {
            conn.create_client_key(&ws, made).await.unwrap();
        }
        conn.commit().await.unwrap();

        let mut conn = begin(&store).await;
        let ids = |keys: Vec<ClientKey>| keys.into_iter().map(|key| key.id).collect::<Vec<_>>();
        let signing = Purpose::Signing;
        let found = conn.client_keys(&ws, &of.id, None, signing).await.unwrap();
        let first = found.first().unwrap();
        assert_eq!((first.alg, first.public.as_str()), (own.alg, own.public.as_str()));
        assert_eq!((&first.secret, first.signs_from, first.created_at), (&own.secret, later(60), T0));
        assert_eq!(ids(found), [own.id.clone(), later_one.id.clone()]);
        assert_eq!(
            ids(conn.client_keys(&ws, &of.id, Some(&way.id), signing).await.unwrap()),
            std::slice::from_ref(&its.id)
        );
        let given = conn.client_keys(&ws, &of.id, None, Purpose::Certificate).await.unwrap();
        assert_eq!(ids(given), std::slice::from_ref(&shown.id));
        assert!(conn.client_keys(&other, &of.id, None, signing).await.unwrap().is_empty());
        assert!(conn.client_keys(&other, &foreign.id, None, signing).await.unwrap().is_empty());

        assert!(!conn.delete_client_key(&other, &own.id).await.unwrap(), "it is another workspace's");
        assert!(conn.delete_client_key(&ws, &own.id).await.unwrap());
        assert!(!conn.delete_client_key(&ws, &own.id).await.unwrap());
        // An option takes its keys along.
        conn.delete_auth_option(&ws, &way).await.unwrap();
        assert!(conn.client_keys(&ws, &of.id, Some(&way.id), signing).await.unwrap().is_empty());
        assert_eq!(
            ids(conn.client_keys(&ws, &of.id, None, signing).await.unwrap()),
            std::slice::from_ref(&later_one.id)
        );
    })
    .await;
}

#[tokio::test]
async fn whose_keys_they_are_is_found_by_either_id() {
    on_each(async |store| {
        let Scene { ws, integration: of, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let way = option(&of, "b", 0);
        conn.create_auth_option(&ws, &way).await.unwrap();
        let own = conn.any_integration_of_keys(of.id.as_str()).await.unwrap().unwrap();
        assert_eq!((own.id, own.as_of, own.provider), (of.id.clone(), AsOf::default(), of.provider));
        let its = conn.any_integration_of_keys(way.id.as_str()).await.unwrap().unwrap();
        assert_eq!((its.id, its.as_of.option, its.provider), (of.id, Some(way.id), way.provider));
        for nobody in ["", "opt_", &of.key, "int_00000000000000000000000000000000", "\0"] {
            assert!(conn.any_integration_of_keys(nobody).await.unwrap().is_none(), "{nobody:?}");
        }
    })
    .await;
}
