//! Budgets: how much of a limit is lent out in its window, for all processes.
//!
//! Which limit and whose is only a hash here: an address is nobody's to keep.

use super::{Conn, statement::sql};
use crate::{
    error::{Error, Result},
    time::Millis,
};

/// What is lent of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// When its window began.
    pub began: Millis,
    /// How many calls are lent in it.
    pub taken: u32,
}

impl Conn {
    /// A limit's budget, held until this unit of work ends so that no other process lends of it meanwhile; with a window
    /// that begins `now` where there was none.
    pub async fn any_hold_budget(&mut self, key: &str, now: Millis) -> Result<Budget> {
        let hold = sql("insert into budget (key, window_began, taken) values ($1, $2, 0) \
                        on conflict (key) do update set taken = budget.taken returning window_began, taken");
        let row = self.changed_row(hold.text(key).at(now)).await?;
        let row = row.ok_or_else(|| Error::internal("a budget was not held"))?;
        Ok(Budget { began: row.at("window_began")?, taken: row.number("taken")? })
    }

    /// Writes what is lent now. Only of a budget that is held.
    pub async fn any_set_budget(&mut self, key: &str, budget: &Budget) -> Result<()> {
        let update = sql("update budget set window_began = $2, taken = $3 where key = $1");
        self.execute(update.text(key).at(budget.began).int(budget.taken.into())).await.map(drop)
    }

    /// Forgets at most `limit` budgets whose windows began before `before`. Says how many.
    pub async fn any_purge_budgets(&mut self, before: Millis, limit: i64) -> Result<i64> {
        let delete =
            sql("delete from budget where key in (select key from budget where window_began < $1 limit $2)");
        self.execute(delete.at(before).int(limit)).await
    }
}
