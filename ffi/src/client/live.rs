//! What a client handle stands for in this process: core's client with its queue and callbacks, made anew in a forked
//! child.

use crate::bell::Bell;
use crate::boundary::{free, handle};
use crate::completions::{Calls, Queue};
use crate::credential::Recipe;
use crate::event::Handlers;
use crate::options::keyless_options;
use crate::token_source::Source;
use crate::{callbacks, fork};
use keyless::blocking;
use keyless::token::TokenSource;
use keyless::{Client, Error, ErrorCode, Identity, Result};
use once_cell::sync::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Who signs in.
pub(crate) enum SignIn {
    Options,
    Credential(Recipe),
    Source(Arc<Source>),
}

/// A client that outlives `fork`.
pub(crate) struct Handle {
    options: keyless_options,
    sign_in: SignIn,
    endpoint: String,
    pub(crate) handlers: Handlers,
    live: AtomicPtr<Live>,
}

/// The client of one process.
pub(crate) struct Live {
    process: u32,
    pub(crate) client: Client,
    queue: OnceCell<Arc<Queue>>,
    pub(crate) calls: Arc<Calls>,
}

impl Live {
    /// The completion queue, made when it is first needed.
    pub(crate) fn queue(&self) -> Result<&Arc<Queue>> {
        self.queue.get_or_try_init(|| {
            Bell::new().map(Queue::new).map_err(|error| {
                Error::new(
                    ErrorCode::Internal,
                    format!("There is no descriptor for completions: {error}."),
                    "Check the limit on open files of this process.",
                )
            })
        })
    }
}

impl Handle {
    /// Connects.
    pub(crate) fn connect(options: keyless_options, sign_in: SignIn) -> Result<Self> {
        let live = connect(&options, &sign_in)?;
        Ok(Self {
            endpoint: live.client.endpoint().to_owned(),
            options,
            sign_in,
            handlers: Handlers::default(),
            live: AtomicPtr::new(handle(live)),
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn current(&self) -> &Live {
        // SAFETY: always a live one: former ones are never freed while the handle exists.
        unsafe { &*self.live.load(Ordering::Acquire) }
    }

    /// The client of this process; `None` in a forked child that has not used it yet.
    pub(crate) fn own(&self) -> Option<&Live> {
        Some(self.current()).filter(|live| live.process == fork::generation())
    }

    /// The client of this process. A forked child connects first.
    pub(crate) fn get(&self) -> Result<&Live> {
        match self.own() {
            Some(live) => Ok(live),
            None => self.renew(),
        }
    }

    #[cold]
    fn renew(&self) -> Result<&Live> {
        let parents = self.live.load(Ordering::Acquire);
        let anew = handle(connect(&self.options, &self.sign_in)?);
        // SAFETY: nobody else has it yet.
        let live = unsafe { &*anew };
        let publish =
            || self.live.compare_exchange(parents, anew, Ordering::AcqRel, Ordering::Acquire).is_ok();
        // The parent's stays in memory: to end it would touch what the parent uses.
        if !self.handlers.attach(publish, |mask, handler| live.client.on_event(mask, handler)) {
            // Another thread was first.
            free(anew);
        }
        Ok(self.current())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(live) = self.own() else { return };
        self.handlers.clear(|at| live.client.remove_handler(at));
        live.client.stop();
        if callbacks::may_be_waited_for() {
            live.calls.wait();
        }
        free(self.live.load(Ordering::Acquire));
    }
}

fn connect(with: &keyless_options, sign_in: &SignIn) -> Result<Live> {
    let with_key;
    let mut options = &with.0;
    let identity = match sign_in {
        SignIn::Options => Identity::from_options(options)?,
        SignIn::Source(source) => source.get()?.clone().into(),
        SignIn::Credential(recipe) if !recipe.is_access_key() => recipe.make()?.into(),
        SignIn::Credential(recipe) => {
            if let Some(key) = recipe.access_key() {
                with_key = options.clone().with_password(key.clone());
                options = &with_key;
            }
            Identity::AccessKey
        }
    };
    let identity = match identity {
        Identity::Credential(credential) if with.1.any() => {
            TokenSource::new(credential, with.token_source_options())?.into()
        }
        Identity::EntraOrAccessKey(_) if with.1.any() => {
            return Err(Error::new(
                ErrorCode::InvalidOption,
                "Callbacks of the options decide about tokens, which access_key_fallback may do without.",
                "Leave the callbacks or access_key_fallback away.",
            ));
        }
        identity => identity,
    };
    let client = blocking::wait(Client::connect_as(options, identity))??;
    Ok(Live { process: fork::generation(), client, queue: OnceCell::new(), calls: Calls::new() })
}
