//! Client certificates: whether those that integrations show to providers are good, and for how long.

use std::time::Duration;

use claviger_engine::{
    outbound::expires_at,
    store::{Certificate, Store},
    time::Millis,
};

use super::{Finding, state::cause};

const NAME: &str = "client certificates";
/// How long ahead an end is worth a word: getting another one from whoever issues them takes its time.
const AHEAD: Duration = Duration::from_secs(30 * 24 * 3600);

/// One finding for each that ends soon or has ended; nothing where there is none.
pub(super) async fn check(store: &Store, now: Millis) -> Vec<Finding> {
    let found = match store.read().await {
        Ok(mut conn) => conn.any_certificates().await,
        Err(error) => Err(error),
    };
    let found = match found {
        Ok(found) => found,
        Err(e) => return vec![Finding::failure(NAME, format!("they can't be read: {}", cause(e)), "")],
    };
    let findings: Vec<Finding> = found.iter().filter_map(|one| judge(one, now)).collect();
    if findings.is_empty() && !found.is_empty() {
        let says = format!("{} in use, none ends within 30 days", found.len());
        return vec![Finding::fine(NAME, says)];
    }
    findings
}

fn judge(one: &Certificate, now: Millis) -> Option<Finding> {
    let option = one.option.as_ref().map(|key| format!(", auth option {key}")).unwrap_or_default();
    let whose = format!("workspace {}: integration {}{option}", one.workspace, one.integration);
    let remedy = "Have another one issued, and give it as `client_certificate` in the file that `claviger apply` reads.";
    match expires_at(&one.pem) {
        None => Some(Finding::failure(NAME, format!("{whose}: its certificate can't be read"), remedy)),
        Some(end) if end < now => {
            let says = format!("{whose}: its certificate expired at {}", end.rfc3339());
            Some(Finding::failure(NAME, says, remedy))
        }
        Some(end) if end < now.plus(AHEAD) => {
            let says = format!("{whose}: its certificate expires at {}", end.rfc3339());
            Some(Finding::warning(NAME, says, remedy))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn an_end_is_told_a_month_ahead() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_after = rcgen::date_time_ymd(2026, 6, 1);
        let pem = params.self_signed(&key).unwrap().pem();
        let one = Certificate {
            workspace: "acme".into(),
            integration: "bank".into(),
            option: Some("eu".into()),
            pem,
        };
        let end = expires_at(&one.pem).unwrap();
        let said = |now: Millis| judge(&one, now).map(|finding| finding.says);
        assert_eq!(said(end.minus(31 * DAY)), None);
        let soon = said(end.minus(29 * DAY)).unwrap();
        let whose = "workspace acme: integration bank, auth option eu: its certificate";
        assert!(soon.contains(&format!("{whose} expires at 2026-06-01T00:00:00.000Z")), "{soon}");
        let over = said(end.plus(DAY)).unwrap();
        assert!(over.contains(&format!("{whose} expired at 2026-06-01")), "{over}");
        assert!(judge(&Certificate { pem: "no".into(), ..one.clone() }, end).is_some());
    }
}
