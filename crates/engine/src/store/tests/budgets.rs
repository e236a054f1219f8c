//! Budgets are lent of one process at a time, and forgotten.

use super::*;
use crate::store::Budget;

#[tokio::test]
async fn a_budget_is_held_written_and_forgotten() {
    on_each(async |store| {
        let mut conn = begin(&store).await;
        assert_eq!(conn.any_hold_budget("k", T0).await.unwrap(), Budget { began: T0, taken: 0 });
        conn.any_set_budget("k", &Budget { began: T0, taken: 25 }).await.unwrap();
        conn.commit().await.unwrap();

        let mut conn = begin(&store).await;
        assert_eq!(conn.any_hold_budget("k", later(9)).await.unwrap(), Budget { began: T0, taken: 25 });
        let anew = Budget { began: later(60), taken: 1 };
        conn.any_set_budget("k", &anew).await.unwrap();
        assert_eq!(
            conn.any_hold_budget("other", later(70)).await.unwrap(),
            Budget { began: later(70), taken: 0 }
        );
        assert_eq!(conn.any_purge_budgets(later(60), 10).await.unwrap(), 0);
        assert_eq!(conn.any_purge_budgets(later(61), 10).await.unwrap(), 1);
        assert_eq!(
            conn.any_hold_budget("k", later(80)).await.unwrap(),
            Budget { began: later(80), taken: 0 }
        );
        assert_eq!(conn.any_purge_budgets(later(90), 1).await.unwrap(), 1, "no more at once than said");
    })
    .await;
}

#[tokio::test]
async fn of_a_budget_that_is_held_nobody_else_lends() {
    on_each(async |store| {
        let lend = async || {
            let mut conn = store.begin(Actor::System, T0).await.unwrap();
            let is = conn.any_hold_budget("k", T0).await.unwrap();
            tokio::task::yield_now().await;
            conn.any_set_budget("k", &Budget { taken: is.taken + 1, ..is }).await.unwrap();
            conn.commit().await.unwrap();
        };
        futures_util::future::join_all((0..12).map(|_| lend())).await;
        assert_eq!(begin(&store).await.any_hold_budget("k", T0).await.unwrap().taken, 12);
    })
    .await;
}
