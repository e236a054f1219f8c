//! The rules of codes, grants and tokens: what is issued, what is spent, what dies with what.
//!
//! Pure steps on [`State`]; each runs under one lock, so two requests never both win. Must never hand out a token
//! for a grant that is gone. Look next at `token.rs`, which speaks HTTP around it.

use crate::account::Account;
use crate::random;
use crate::state::{Access, Grant, Refresh, Spent, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;

/// What a token answer says.
pub(crate) struct Issued {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub scopes: Vec<String>,
    pub lifetime: Duration,
}

/// An error of RFC 6749 §5.2 with its description.
pub(crate) struct Refused(pub &'static str, pub &'static str);

impl State {
    /// Exchanges a code once (RFC 6749 §4.1.3, RFC 7636 §4.6). A second try kills what the first one made.
    pub fn redeem(
        &mut self,
        client_id: &str,
        code: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        lifetime: Duration,
    ) -> Result<Issued, Refused> {
        let now = self.now();
        let Some(found) = self.codes.get_mut(code).filter(|found| found.client_id == client_id) else {
            return Err(Refused("invalid_grant", "the code is unknown or belongs to another client"));
        };
        if let Some(grant) = &found.grant {
            self.grants.remove(grant);
            self.stats.code_replays += 1;
            return Err(Refused(
                "invalid_grant",
                "the code was used before; the tokens made from it are revoked",
            ));
        }
        let refusal = if now >= found.expires {
            Some("the code has expired")
        } else if redirect_uri != Some(found.redirect_uri.as_str()) {
            Some("redirect_uri is not the one of the authorization request")
        } else if verifier.is_none_or(|verifier| challenge_of(verifier) != found.challenge) {
            Some("code_verifier does not match code_challenge")
        } else {
            None
        };
        if let Some(why) = refusal {
            self.codes.remove(code);
            return Err(Refused("invalid_grant", why));
        }
        let id = random::text("grant_");
        found.grant = Some(id.clone());
        let (account, scopes) = (found.account, found.scopes.clone());
        self.grants
            .insert(id.clone(), Grant { client_id: client_id.to_owned(), account, scopes: scopes.clone() });
        let refresh_token = (!self.faults.omit_refresh_token).then(|| self.new_refresh_token(&id));
        Ok(self.issue(&id, scopes, refresh_token, lifetime))
    }

    /// Uses a refresh token (RFC 6749 §6), rotates it, and notices a spent one (RFC 9700 §4.14.2).
    pub fn renew(
        &mut self,
        client_id: &str,
        token: &str,
        scopes: Option<Vec<String>>,
        lifetime: Duration,
    ) -> Result<Issued, Refused> {
        const UNKNOWN: Refused =
            Refused("invalid_grant", "the refresh token is unknown, revoked or belongs to another client");
        let (now, outside) = (self.now(), self.is_outside(token));
        let Some(found) = self.refresh.get(token) else { return Err(UNKNOWN) };
        let Some(grant) = self.grants.get(&found.grant).filter(|grant| grant.client_id == client_id) else {
            return Err(UNKNOWN);
        };
        let id = found.grant.clone();
        let spent = found.spent.clone();
        let scopes = scopes.unwrap_or_else(|| grant.scopes.clone());
        self.stats.refresh_reuse_detections += u64::from(spent.is_some());
        if outside {
            if !self.faults.count_only {
                self.grants.remove(&id);
            }
            return Err(Refused("invalid_grant", "the refresh token was used before"));
        }
        if !scopes.iter().all(|scope| grant.scopes.contains(scope)) {
            return Err(Refused("invalid_scope", "scope asks for more than was granted"));
        }
        if self.faults.no_rotation {
            return Ok(self.issue(&id, scopes, None, lifetime));
        }
        let child = self.new_refresh_token(&id);
        if let Some(spent) = &spent
            && !self.faults.reuse_detection_off
        {
            self.refresh.remove(&spent.child);
        }
        let at = spent.map_or(now, |spent| spent.at);
        if let Some(found) = self.refresh.get_mut(token) {
            found.spent = Some(Spent { at, child: child.clone() });
        }
        let refresh_token = child;
        Ok(self.issue(&id, scopes, Some(refresh_token), lifetime))
    }

    /// Whether using this refresh token now is outside the reuse rule: it is spent, and no fault lets it work again.
    pub fn is_outside(&self, token: &str) -> bool {
        let Some(spent) = self.refresh.get(token).and_then(|found| found.spent.as_ref()) else {
            return false;
        };
        let used_on = self.refresh.get(&spent.child).is_some_and(|child| child.spent.is_some());
        let grace = self.faults.reuse_grace_seconds.map(Duration::from_secs);
        let graced = grace.is_some_and(|grace| self.now() < spent.at.saturating_add(grace)) && !used_on;
        !graced && !self.faults.reuse_detection_off
    }

    /// Whose a token of this client is that would work now, and for what (RFC 7662 §2.2); `None` for any other.
    pub fn standing(&self, client_id: &str, token: &str) -> Option<(&'static Account, Vec<String>)> {
        let refresh = self.refresh.get(token).filter(|_| !self.is_outside(token));
        let access = self.access.get(token).filter(|access| self.now() < access.expires);
        let id = refresh.map(|refresh| &refresh.grant).or(access.map(|access| &access.grant))?;
        let grant = self.grants.get(id).filter(|grant| grant.client_id == client_id)?;
        Some((grant.account, access.map_or_else(|| grant.scopes.clone(), |access| access.scopes.clone())))
    }

    /// Ends a token of this client (RFC 7009 §2.1): a refresh token with its whole grant, an access token alone.
    /// `Ok(false)`: there was nothing to end.
    pub fn revoke(&mut self, client_id: &str, token: &str) -> Result<bool, Refused> {
        let refresh = self.refresh.get(token).map(|refresh| refresh.grant.clone());
        let access = self.access.get(token).map(|access| access.grant.clone());
        let Some(id) = refresh.as_ref().or(access.as_ref()) else { return Ok(false) };
        match self.grants.get(id) {
            None => return Ok(false),
            Some(grant) if grant.client_id != client_id => {
                return Err(Refused("invalid_grant", "the token was issued to another client"));
            }
            Some(_) => {}
        }
        if refresh.is_some() {
            self.grants.remove(id);
        } else {
            self.access.remove(token);
        }
        Ok(true)
    }

    fn new_refresh_token(&mut self, grant: &str) -> String {
        let token = random::text("sbx_rt_");
        self.refresh.insert(token.clone(), Refresh { grant: grant.to_owned(), spent: None });
        token
    }

    fn issue(
        &mut self,
        grant: &str,
        scopes: Vec<String>,
        refresh_token: Option<String>,
        lifetime: Duration,
    ) -> Issued {
        let lifetime = self.faults.expires_in.map_or(lifetime, Duration::from_secs);
        let access_token = random::text("sbx_at_");
        let expires = self.now().saturating_add(lifetime);
        self.access.insert(
            access_token.clone(),
            Access { grant: grant.to_owned(), scopes: scopes.clone(), expires },
        );
        self.stats.tokens_issued += 1;
        Issued { access_token, refresh_token, scopes, lifetime }
    }
}

/// `BASE64URL(SHA256(verifier))`, RFC 7636 §4.2.
pub(crate) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}
