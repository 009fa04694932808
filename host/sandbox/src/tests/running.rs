//! One call of a test guest, with terms stated in the test.

use std::{
    future::Future,
    sync::{Arc, LazyLock},
    time::Duration,
};

use wardkeep_capabilities::{CallState, CallToken, Environment, LogContext, Outside, Roots, Served};
use wardkeep_model::{CorrelationId, Effect, Limits, Outcome};
use wardkeep_policy::{Grants, HttpRule};

use super::Guest;
use crate::{
    Engine, EngineOptions, Inspected, LoadError, Plugin, Stopped,
    bindings::handler::Request,
    instance::{Done, Job},
};

pub(crate) static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(EngineOptions { workers: 2, ..EngineOptions::default() }).unwrap());

/// Waits in a test that has no runtime of its own.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

pub(crate) fn inspect(guest: &Guest) -> Inspected {
    inspect_bytes(guest.bytes())
}

pub(crate) fn inspect_bytes(bytes: Vec<u8>) -> Inspected {
    wait(ENGINE.inspect(bytes.into())).unwrap()
}

pub(crate) struct Call {
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) served: Served,
    pub(crate) requests: Vec<HttpRule>,
    pub(crate) outside: Outside,
    pub(crate) roots: Roots,
    pub(crate) effect: Effect,
    pub(crate) arguments: String,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            limits: Limits { deadline: Duration::from_secs(20), ..Limits::DEFAULT },
            grants: Grants::default(),
            served: Served::default(),
            requests: Vec::new(),
            outside: Outside::closed(),
            roots: Roots::default(),
            effect: Effect::Read,
            arguments: "{}".to_owned(),
        }
    }
}

impl Call {
    pub(crate) fn plugin(&self, guest: &Guest) -> Result<Plugin, LoadError> {
        self.link(&inspect(guest))
    }

    pub(crate) fn link(&self, inspected: &Inspected) -> Result<Plugin, LoadError> {
        let tools = [("t".parse().unwrap(), 8)].into_iter();
        Plugin::link(&ENGINE, inspected, "guest".parse().unwrap(), &self.served, tools)
    }

    pub(crate) fn job(&self, token: &CallToken) -> Job {
        let pool = ENGINE.0.files.clone();
        let reach = self.outside.plugin(&"guest".parse().unwrap());
        let environment = Environment { roots: self.roots.clone(), pool, reach };
        let context = LogContext {
            plugin: "guest".parse().unwrap(),
            tool: "t".parse().unwrap(),
            correlation: CorrelationId::from_bytes([1; 16]),
        };
        let call = CallState::new((&self.grants, &self.requests), &self.limits, token.clone(), &environment, context);
        let call = call.of_effect(self.effect);
        let request = Request { tool: "t".to_owned(), arguments: self.arguments.clone(), resume: None };
        Job { request, call, limits: self.limits, secrets: self.grants.secrets.clone() }
    }

    pub(crate) fn start(&self, plugin: &Plugin, token: &CallToken) -> tokio::task::JoinHandle<Done> {
        let (job, plugin, engine) = (self.job(token), plugin.clone(), Arc::clone(&ENGINE.0));
        let pace = Arc::clone(&plugin.0.tools.values().next().unwrap().pace);
        let running = async move { job.run(&engine, &plugin.0.guest).await };
        ENGINE.0.lanes.handle().unwrap().spawn(async move { ENGINE.0.lanes.run(pace, running).await.unwrap() })
    }

    pub(crate) fn run(&self, guest: &Guest) -> Done {
        let plugin = self.plugin(guest).unwrap();
        wait(self.start(&plugin, &CallToken::new(self.limits.deadline))).unwrap()
    }
}

impl Done {
    pub(crate) fn outcome(&self) -> Outcome {
        match &self.result {
            Ok(Ok(_)) => Outcome::Ok,
            Ok(Err(_)) => Outcome::ToolError,
            Err(Stopped { outcome, .. }) => *outcome,
        }
    }
}
