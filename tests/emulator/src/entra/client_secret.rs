//! Sign-in of a service principal with a client secret.

use super::{Parameters, error::EntraError, parameter};
use crate::identity::ServicePrincipal;

pub(super) fn check(principal: &ServicePrincipal, form: &Parameters) -> Result<(), EntraError> {
    let offered = form.get("client_secret").ok_or_else(EntraError::no_credential)?;
    if principal.secrets.iter().any(|secret| secret == offered) {
        Ok(())
    } else {
        Err(EntraError::invalid_secret(parameter(form, "client_id")?))
    }
}
