//! A wire that can be bad: a TCP proxy between two parties, with faults from a seed.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::JoinHandle,
    time::sleep,
};

use crate::Error;

/// What is passed on at a time, at most.
const PIECE: usize = 16 * 1024;

/// How bad the wire is. By default everything gets through at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Each piece is late by up to so many milliseconds.
    pub late_ms: u64,
    /// One piece in so many ends its connection in the middle; zero for none, as for the others.
    pub reset_in: u32,
    /// One piece of an answer in so many is thrown away, and its connection ended: what was asked has been done.
    pub lost_in: u32,
    /// With one piece in so many its connection is half open from then on: in this direction nothing gets through any more.
    pub silent_in: u32,
}

/// How often the wire did what was asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Connections that ended in the middle.
    pub resets: u64,
    /// Answers that were thrown away.
    pub lost: u64,
    /// Connections that fell silent.
    pub silent: u64,
}

/// A proxy on a port of its own, that goes when this value is dropped, and all its connections with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    wire: Arc<Wire>,
    taking: JoinHandle<()>,
}

#[derive(Debug)]
struct Wire {
    target: u16,
    weather: Mutex<Weather>,
    ended: Notify,
    resets: AtomicU64,
    lost: AtomicU64,
    silent: AtomicU64,
}

/// What becomes of one piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passed,
    Ended,
    Silenced,
}

impl Proxy {
    /// A proxy to this port of 127.0.0.1; the same seed gives the same chances.
    ///
    /// # Errors
    /// If there is no port for it.
    pub async fn to(target: u16, seed: u64) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let wire = Arc::new(Wire {
            target,
            weather: Mutex::default(),
            ended: Notify::new(),
            resets: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            silent: AtomicU64::new(0),
        });
        let taking = tokio::spawn(Arc::clone(&wire).take_all(listener, StdRng::seed_from_u64(seed)));
        Ok(Self { port, wire, taking })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes the wire so bad from now on.
    pub fn set(&self, weather: Weather) {
        *self.wire.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// What it has done so far.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults {
            resets: self.wire.resets.load(Ordering::Relaxed),
            lost: self.wire.lost.load(Ordering::Relaxed),
            silent: self.wire.silent.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.taking.abort();
        self.wire.ended.notify_waiters();
    }
}

impl Wire {
    async fn take_all(self: Arc<Self>, listener: TcpListener, mut rng: StdRng) {
        while let Ok((caller, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&self).connect(caller, StdRng::seed_from_u64(rng.random())));
        }
    }

    /// Joins a caller and whom it calls until one of them, or the weather, ends it.
    async fn connect(self: Arc<Self>, caller: TcpStream, mut rng: StdRng) {
        let ended = self.ended.notified();
        // Where nobody listens the caller is hung up on, which is as near to a refusal as a proxy comes.
        let Ok(called) = TcpStream::connect(("127.0.0.1", self.target)).await else {
            return;
        };
        // An end without a farewell: whoever writes next hears that the connection is broken.
        if [&caller, &called]
            .iter()
            .any(|end| end.set_nodelay(true).and(end.set_zero_linger()).is_err())
        {
            return;
        }
        let (from_caller, to_caller) = caller.into_split();
        let (from_called, to_called) = called.into_split();
        let there = self.pass(from_caller, to_called, false, StdRng::seed_from_u64(rng.random()));
        let back = self.pass(from_called, to_caller, true, StdRng::seed_from_u64(rng.random()));
        tokio::select! {
            _ = there => {}
            _ = back => {}
            () = ended => {}
        }
    }

    async fn pass(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        answers: bool,
        mut rng: StdRng,
    ) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let length = from.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            let weather = *self.weather.lock().unwrap_or_else(PoisonError::into_inner);
            if weather.late_ms > 0 {
                sleep(Duration::from_millis(rng.random_range(0..=weather.late_ms))).await;
            }
            match self.fate(weather, answers, &mut rng) {
                Fate::Passed => to.write_all(&piece[..length]).await?,
                Fate::Ended => return Ok(()),
                Fate::Silenced => std::future::pending().await,
            }
        }
    }

    fn fate(&self, weather: Weather, answers: bool, rng: &mut StdRng) -> Fate {
        let mut strikes = |one_in: u32| one_in > 0 && rng.random_ratio(1, one_in);
        let (counter, fate) = if answers && strikes(weather.lost_in) {
            (&self.lost, Fate::Ended)
        } else if strikes(weather.reset_in) {
            (&self.resets, Fate::Ended)
        } else if strikes(weather.silent_in) {
            (&self.silent, Fate::Silenced)
        } else {
            return Fate::Passed;
        };
        counter.fetch_add(1, Ordering::Relaxed);
        fate
    }
}
