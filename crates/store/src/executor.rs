//! What runs the requests of a store: a runtime with threads of its own for a server, the calling
//! thread for storage in memory.

use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::Runtime;

use crate::error::Error;

/// Objects that are transferred at once.
const N_AT_ONCE: usize = 8;

/// What runs requests.
#[derive(Debug)]
pub(crate) enum Executor {
    /// `None` only while it is dropped.
    Runtime(Option<Runtime>),
    /// One request after the other on the calling thread, in a fixed order. Storage in memory
    /// answers at once, and a request may be made while another one is under way.
    Caller,
}

impl Executor {
    pub(crate) fn with_threads(url: &str) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|source| Error::File { url: url.to_owned(), source })?;
        Ok(Self::Runtime(Some(runtime)))
    }

    /// Waits for `request`.
    pub(crate) fn block_on<F: Future>(&self, request: F) -> F::Output {
        match self {
            Self::Runtime(runtime) => {
                let runtime = runtime.as_ref().expect("the runtime is taken by drop only");
                runtime.block_on(request)
            }
            Self::Caller => {
                let mut request = pin!(request);
                let mut context = Context::from_waker(Waker::noop());
                // Pending means that a stream of many parts let others have their turn.
                loop {
                    if let Poll::Ready(output) = request.as_mut().poll(&mut context) {
                        return output;
                    }
                }
            }
        }
    }

    /// Runs `tasks`, a few at a time, and visits their results in order. Tasks that still run when
    /// it returns are aborted.
    pub(crate) fn in_order<T, F, E>(
        &self,
        url: &str,
        mut tasks: impl Iterator<Item = F>,
        mut visit: impl FnMut(usize, Result<T, Error>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
        E: From<Error>,
    {
        let Self::Runtime(Some(runtime)) = self else {
            return tasks
                .enumerate()
                .try_for_each(|(position, task)| visit(position, self.block_on(task)));
        };
        let mut running = VecDeque::with_capacity(N_AT_ONCE);
        for position in 0.. {
            while running.len() < N_AT_ONCE
                && let Some(task) = tasks.next()
            {
                running.push_back(AbortOnDrop(runtime.spawn(task)));
            }
            let Some(mut first) = running.pop_front() else { break };
            let result = runtime.block_on(&mut first.0).unwrap_or_else(|source| {
                Err(Error::Other { url: url.to_owned(), source: Box::new(source) })
            });
            visit(position, result)?;
        }
        Ok(())
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if let Self::Runtime(runtime) = self
            && let Some(runtime) = runtime.take()
        {
            // Without waiting: a DNS lookup may block for long.
            runtime.shutdown_background();
        }
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
