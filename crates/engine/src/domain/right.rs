//! Rights: what an operator's role lets it do in a workspace. One table, [`RIGHTS`]: whatever asks and whatever tests
//! reads it, and nothing else says who may do what.

use super::user::Role;

/// Something that can be done at the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Look at what there is: connections, calls, settings. Nothing of it is secret.
    See,
    /// Refresh or try a connection, and make a link by which its owner authorizes it anew.
    UseConnections,
    /// Freeze a connection, or let it be used again.
    FreezeConnections,
    /// End a connection for good.
    EndConnections,
    /// Make and revoke API keys.
    ManageKeys,
    /// Change settings and redirect URIs: where customers' browsers are sent, and with what.
    ChangeSettings,
    /// Read who did what, and from where.
    ReadAudit,
}

/// Who may do one thing, and what it takes.
#[derive(Debug, Clone, Copy)]
pub struct Right {
    /// What is done.
    pub action: Action,
    /// Who may.
    pub roles: &'static [Role],
    /// Whether the password must have been shown not long ago: for what reveals a secret, or can't be taken back.
    pub proof: bool,
}

const ALL: &[Role] = &[Role::Owner, Role::Admin, Role::Developer, Role::Viewer];
const BUILDERS: &[Role] = &[Role::Owner, Role::Admin, Role::Developer];
const ADMINS: &[Role] = &[Role::Owner, Role::Admin];

const fn right(action: Action, roles: &'static [Role], proof: bool) -> Right {
    Right { action, roles, proof }
}

/// Each action with those who may do it.
pub const RIGHTS: [Right; 7] = [
    right(Action::See, ALL, false),
    right(Action::UseConnections, BUILDERS, false),
    right(Action::FreezeConnections, BUILDERS, false),
    right(Action::EndConnections, ADMINS, true),
    right(Action::ManageKeys, BUILDERS, true),
    right(Action::ChangeSettings, ADMINS, false),
    right(Action::ReadAudit, ADMINS, false),
];

impl Action {
    /// Who may do it. What is in no row, nobody may.
    pub fn right(self) -> Right {
        let found = RIGHTS.into_iter().find(|right| right.action == self);
        found.unwrap_or(Right { action: self, roles: &[], proof: true })
    }
}

impl Role {
    /// Whether whoever has this role may do it.
    pub fn may(self, action: Action) -> bool {
        action.right().roles.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_role_may_all_that_a_lower_one_may() {
        for right in RIGHTS {
            let may: Vec<_> = ALL.iter().map(|role| role.may(right.action)).collect();
            assert!(may.is_sorted_by(|higher, lower| higher >= lower), "{right:?}");
            assert!(may[0], "an owner may do everything: {right:?}");
        }
        let rows = |action| RIGHTS.iter().filter(|right| right.action == action).count();
        assert!(RIGHTS.iter().all(|right| rows(right.action) == 1), "each action has one row");
        let viewers = RIGHTS.iter().filter(|right| Role::Viewer.may(right.action));
        assert!(viewers.into_iter().all(|right| right.action == Action::See), "a viewer only looks");
    }
}
