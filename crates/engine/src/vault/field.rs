//! The fields that hold sealed texts, all of them: what is sealed into a row is bound to one of these.
//!
//! A new kind of sealed secret is a new line here, and a column for it in `store::sealed`, so that rotating the
//! root key finds it. A name is part of what each text is bound to: changed, none of its texts opens any more.

use super::Aad;
use crate::id::WorkspaceId;

/// One kind of sealed secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// What a workspace's Membrane-style tokens are signed with; the record is the workspace.
    JwtSecret,
    /// An integration's secret at its provider; the record is the integration.
    ClientSecret,
    /// The same of one of its auth options; the record is the option.
    OptionSecret,
    /// The same of an OAuth app of whoever runs the server; the record is the app.
    AppSecret,
    /// What a product left with us about a customer; the record is the customer.
    CustomerCredentials,
    /// A connection's token set; the record is the connection.
    Tokens,
    /// The one before it, until it has worked; the record is the connection.
    PreviousTokens,
    /// A flow's PKCE verifier; the record is the flow.
    Verifier,
    /// How a flow ended, for a repeated callback; the record is the flow.
    Outcome,
    /// The provider's code, until the product's server vouches for it; the record is the flow.
    ProviderCode,
    /// What a provider gave to enter elsewhere, and the code to ask with; the record is the flow.
    Device,
    /// A private key of ours towards a provider; the record is the key.
    ClientKey,
    /// What deliveries to a webhook endpoint are signed with; the record is the endpoint.
    WebhookSecret,
    /// The same before it was rolled, while both sign; the record is the endpoint.
    PreviousWebhookSecret,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 14] = [
        Self::JwtSecret,
        Self::ClientSecret,
        Self::OptionSecret,
        Self::AppSecret,
        Self::CustomerCredentials,
        Self::Tokens,
        Self::PreviousTokens,
        Self::Verifier,
        Self::Outcome,
        Self::ProviderCode,
        Self::Device,
        Self::ClientKey,
        Self::WebhookSecret,
        Self::PreviousWebhookSecret,
    ];

    /// Its name in what a text is bound to.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JwtSecret => "workspace.jwt_secret",
            Self::ClientSecret => "integration.client_secret",
            Self::OptionSecret => "auth_option.client_secret",
            Self::AppSecret => "oauth_app.client_secret",
            Self::CustomerCredentials => "customer.credentials",
            Self::Tokens => "credential.tokens",
            Self::PreviousTokens => "credential.previous",
            Self::Verifier => "flow.verifier",
            Self::Outcome => "flow.outcome",
            Self::ProviderCode => "flow.provider_code",
            Self::Device => "flow.device",
            Self::ClientKey => "client_key.secret",
            Self::WebhookSecret => "webhook.secret",
            Self::PreviousWebhookSecret => "webhook.previous_secret",
        }
    }

    /// What a text in this field of one record is bound to.
    pub fn of<'a>(self, workspace: &'a WorkspaceId, record: &'a str) -> Aad<'a> {
        Aad { workspace: workspace.as_str(), record, field: self.as_str() }
    }
}
