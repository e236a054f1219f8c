//! What a customer's caller wants connected, and what that comes to: an integration as of an auth option, the connection
//! that it goes over, and the values that were given, each checked.
//!
//! What is another customer's does not exist here. A value that was given is never repeated.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{AskedOf, Kind, Provider, pattern};
use serde_json::{Map, Value};

use crate::{
    broker::Broker,
    connect::{
        at_once::{self, AtOnce},
        connector_parameters, keys,
    },
    domain::{
        connection::{Connection, Onto, Owner},
        customer::Customer,
        integration::Integration,
    },
    error::{Error, Result},
    id::{ConnectionId, WorkspaceId},
    secret::Secret,
    store::Conn,
};

/// Characters of the longest name of a connection.
const NAME: usize = 256;
/// Characters of the longest state of a caller's own.
const CUSTOM_STATE: usize = 1024;
/// Where the caller said what is wrong.
const PARAMETERS: &str = "connectionParameters";

/// What a caller wants.
#[derive(Default)]
pub struct Wish {
    /// The integration, by id or key; may be left out where the connection is named.
    pub integration: Option<String>,
    /// The connection that is to be authorized anew.
    pub connection: Option<String>,
    /// By which auth option, by key; empty is the integration's own way, and so is none but for a connection that was made
    /// otherwise.
    pub option: Option<String>,
    /// What the provider has to be told and the credential's fields, by key, or by key in camel case.
    pub parameters: BTreeMap<String, Secret>,
    /// What the integration lets its callers say about one connection.
    pub connector_parameters: Map<String, Value>,
    /// What the connection is to be called.
    pub name: Option<String>,
    /// Whether it is to be a new one, whatever there is.
    pub multiple: bool,
    /// What the provider's `state` is to carry behind ours.
    pub custom_state: Option<String>,
}

/// What a wish comes to.
pub(in crate::customer) struct Wanted {
    pub integration: Integration,
    pub provider: Arc<Provider>,
    pub onto: Onto,
    pub option: Option<String>,
    pub name: Option<String>,
    pub custom_state: Option<String>,
    /// The provider's inputs.
    pub inputs: BTreeMap<String, String>,
    /// The credential's fields.
    pub typed: BTreeMap<String, Secret>,
}

impl Wish {
    /// Finds all of it.
    pub(in crate::customer) async fn find(self, broker: &Broker, customer: &Customer) -> Result<Wanted> {
        let (workspace, mut conn) = (&customer.workspace_id, broker.store.read().await?);
        let was = match &self.connection {
            Some(id) => Some(own(&mut conn, customer, id).await?),
            None => None,
        };
        let integration = self.integration(&mut conn, workspace, was.as_ref()).await?;
        if integration.disabled_at.is_some() {
            return Err(Error::Conflict {
                message: format!("integration `{}` is switched off", integration.key),
            });
        }
        let option = self.option.clone().or_else(|| was.as_ref().and_then(|was| was.auth_option.clone()));
        let option = option.filter(|key| !key.is_empty());
        let integration = conn.as_option(workspace, integration, option.as_deref()).await?;
        let integration = integration.ok_or(Error::NotFound { what: "auth option" })?;
        drop(conn);
        let provider = broker.provider(&integration)?;
        let onto = match &was {
            Some(was) => Onto::This(was.id.clone()),
            None if self.multiple => Onto::New,
            None => Onto::Only,
        };
        let mut inputs = known(&provider, was.as_ref());
        inputs.extend(said(&provider, &integration, &self.parameters)?);
        inputs.extend(integration.config.inputs.clone());
        inputs.extend(overrides(&provider, &integration, was.as_ref(), &self.connector_parameters)?);
        let typed = typed(&provider, &self.parameters)?;
        Ok(Wanted {
            name: named(self.name)?,
            custom_state: custom_state(self.custom_state)?.filter(|_| provider.kind() == Kind::OAuth2Code),
            integration,
            provider,
            onto,
            option,
            inputs,
            typed,
        })
    }

    /// The integration that is named, and that the connection is of where one is.
    async fn integration(
        &self,
        conn: &mut Conn,
        workspace: &WorkspaceId,
        was: Option<&Connection>,
    ) -> Result<Integration> {
        let missing = || Error::NotFound { what: "integration" };
        let found = match (&self.integration, was) {
            (Some(selector), _) => conn.integration_by_selector(workspace, selector).await?,
            (None, Some(was)) => conn.integration(workspace, &was.integration_id).await?,
            (None, None) => {
                let text = "which integration to connect is missing: give integrationId or integrationKey";
                return Err(Error::invalid("integrationId", text));
            }
        };
        // What users make is theirs and whom they share it with: nobody vouches for it to a product's customers.
        let found = found.filter(|integration| integration.owner.is_none()).ok_or_else(missing)?;
        match was {
            Some(was) if was.integration_id != found.id => Err(Error::NotFound { what: "connection" }),
            _ => Ok(found),
        }
    }
}

/// The customer's own connection with this id.
async fn own(conn: &mut Conn, customer: &Customer, id: &str) -> Result<Connection> {
    let missing = || Error::NotFound { what: "connection" };
    let id = ConnectionId::parse(id).ok_or_else(missing)?;
    let found = conn.connection(&customer.workspace_id, &id).await?;
    found.filter(|found| found.owner == Owner::customer(customer)).ok_or_else(missing)
}

/// What the connection to go over was made with, as far as its customer gave it.
fn known(provider: &Provider, was: Option<&Connection>) -> BTreeMap<String, String> {
    let Some(was) = was else { return BTreeMap::new() };
    let asked = provider.inputs.iter().filter(|input| input.asked_of == AskedOf::User);
    let pairs = asked.filter_map(|input| Some((input, was.inputs.get(&input.key)?)));
    let sound = pairs.filter(|(input, value)| pattern::admits(&input.pattern, value));
    sound.map(|(input, value)| (input.key.clone(), value.clone())).collect()
}

/// The provider's inputs among the parameters. What the integration fixes is not the caller's to say.
fn said(
    provider: &Provider,
    integration: &Integration,
    given: &BTreeMap<String, Secret>,
) -> Result<BTreeMap<String, String>> {
    let mut inputs = BTreeMap::new();
    for input in provider.inputs.iter().filter(|input| input.asked_of == AskedOf::User) {
        let Some(value) = value(given, &input.key) else { continue };
        let fixed = integration.config.inputs.get(&input.key).is_some_and(|fixed| !fixed.is_empty());
        let text = value.expose().trim();
        if fixed || text.is_empty() {
            continue;
        }
        if !pattern::admits(&input.pattern, text) {
            let example = input.placeholder.as_deref().map(|p| format!(", such as {p}")).unwrap_or_default();
            return Err(Error::invalid(PARAMETERS, format!("`{}` does not look right{example}", input.key)));
        }
        inputs.insert(input.key.clone(), text.to_owned());
    }
    Ok(inputs)
}

/// What the integration lets its callers say, over what it fixes itself: as said now, or else as it was before.
fn overrides(
    provider: &Provider,
    integration: &Integration,
    was: Option<&Connection>,
    given: &Map<String, Value>,
) -> Result<BTreeMap<String, String>> {
    let listed = integration.config.connector_parameters.iter();
    let before: Map<String, Value> =
        listed.filter_map(|key| Some((key.clone(), was?.inputs.get(key)?.as_str().into()))).collect();
    // What is not taken any more is not brought along.
    let mut values = connector_parameters(integration, provider, &before).unwrap_or_default();
    match connector_parameters(integration, provider, given) {
        Ok(said) => values.extend(said),
        Err(Error::Invalid { message, .. }) => return Err(Error::invalid("connectorParameters", message)),
        Err(other) => return Err(other),
    }
    Ok(values)
}

/// The credential's fields among the parameters: those that are there are right.
fn typed(provider: &Provider, given: &BTreeMap<String, Secret>) -> Result<BTreeMap<String, Secret>> {
    let Some(keys) = provider.keys() else { return Ok(BTreeMap::new()) };
    let pairs =
        keys.fields.iter().filter_map(|field| Some((field.key.clone(), value(given, &field.key)?.clone())));
    let typed = keys::trimmed(&pairs.filter(|(_, value)| !value.expose().is_empty()).collect());
    let wrong = keys::wrong(keys, &typed);
    match wrong.iter().find(|(field, _)| typed.contains_key(*field)) {
        Some((field, message)) => Err(Error::invalid(PARAMETERS, format!("`{field}`: {message}"))),
        None => Ok(typed),
    }
}

/// A parameter by its key, or by its key in camel case: `api_key` is `apiKey` as well.
fn value<'a>(given: &'a BTreeMap<String, Secret>, key: &str) -> Option<&'a Secret> {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    let camel = words.fold(first, |name, word| {
        let mut letters = word.chars();
        let head: String = letters.next().map(|first| first.to_ascii_uppercase()).into_iter().collect();
        name + &head + letters.as_str()
    });
    given.get(key).or_else(|| given.get(&camel))
}

pub(in crate::customer) fn named(name: Option<String>) -> Result<Option<String>> {
    let Some(name) = name.filter(|name| !name.trim().is_empty()) else { return Ok(None) };
    if name.chars().count() > NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "name",
            format!("must be at most {NAME} characters, without control characters"),
        ));
    }
    Ok(Some(name))
}

pub(in crate::customer) fn custom_state(state: Option<String>) -> Result<Option<String>> {
    let Some(state) = state.filter(|state| !state.is_empty()) else { return Ok(None) };
    if state.chars().count() > CUSTOM_STATE || state.chars().any(char::is_control) {
        let text = format!("must be at most {CUSTOM_STATE} characters, without control characters");
        return Err(Error::invalid("customState", text));
    }
    Ok(Some(state))
}

impl Wanted {
    /// Whether nobody has to be asked anything more.
    pub(in crate::customer) fn is_ready(&self) -> bool {
        at_once::is_ready(&self.provider, &self.inputs, &self.typed)
    }

    /// Fails naming the first value that is missing.
    pub(super) fn whole(&self) -> Result<()> {
        if let Some(input) = self.provider.missing_inputs(&self.inputs).first() {
            return Err(Error::invalid(PARAMETERS, format!("`{}` is needed: {}", input.key, input.title)));
        }
        let wrong = self.provider.keys().map(|keys| keys::wrong(keys, &self.typed)).unwrap_or_default();
        match wrong.iter().next() {
            Some((field, message)) => Err(Error::invalid(PARAMETERS, format!("`{field}`: {message}"))),
            None => Ok(()),
        }
    }

    /// Makes the connection of what was given.
    pub(in crate::customer) async fn make(
        self,
        broker: &Arc<Broker>,
        customer: &Customer,
        request: Option<String>,
    ) -> Result<Connection> {
        let Self { integration, provider, onto, option, name, inputs, typed, .. } = self;
        let (customer, auth_option) = (customer.clone(), option);
        let new = AtOnce { integration, provider, customer, onto, name, auth_option, inputs, typed, request };
        at_once::make(broker, new).await.map_err(|error| match error {
            Error::Invalid { field: "connection_parameters", message } => Error::invalid(PARAMETERS, message),
            Error::Invalid { field, message } => Error::invalid(PARAMETERS, format!("`{field}`: {message}")),
            other => other,
        })
    }
}
