//! Device codes (RFC 8628): a person enters a code at the provider, on whatever device, and a job asks what came of it.
//!
//! A click on the page of a flow `give`s the code; the flow keeps it sealed and says when the provider is asked next.
//! `poll` asks, in a job (`run`) and never in a request, and ends the flow as a callback would; the page finds that out
//! when it looks again. The command line does all of it by `here`. Must never show anybody the code that is asked with.

mod conclude;
mod give;
mod here;
mod kept;
mod look;
mod poll;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

pub(crate) use self::look::waits;
pub(super) use self::{
    conclude::{POLLED, abandon},
    give::give,
    kept::shown,
};
pub use self::{
    here::{Here, Step, begin, step},
    kept::Device,
    look::{Stands, ended, stands},
};
use crate::{broker::Broker, error::Result};

/// How often it is looked for flows whose providers are to be asked.
const LOOK: Duration = Duration::from_secs(1);
/// How many of them are asked in one look.
const MOST: i64 = 64;

/// Asks providers what came of the codes that they gave, until `stop`. Polls under way are the broker's tasks and come to
/// their end.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        // Nobody waits for them: a provider that is slow keeps no other waiting, and no flow is asked about twice.
        if let Err(error) = set_out(&broker).await {
            tracing::warn!(error = ?error, "providers could not be asked what came of their codes");
        }
    }
}

/// One pass: asks each provider that is to be asked by now, and waits for all of them. Says how many it was.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn round(broker: &Arc<Broker>) -> Result<usize> {
    let flying = set_out(broker).await?;
    let count = flying.len();
    for ended in flying {
        let _panicked = ended.await;
    }
    Ok(count)
}

async fn set_out(broker: &Arc<Broker>) -> Result<Vec<tokio::task::JoinHandle<()>>> {
    let due = broker.store.read().await?.any_flows_to_poll(broker.clock.now(), MOST).await?;
    Ok(due.into_iter().map(|flow| broker.tasks.spawn(poll::poll(broker.clone(), flow))).collect())
}
