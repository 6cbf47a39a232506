//! `bauta quickstart`: the whole story on one machine, every part a process of its own, nothing simulated. With `--x509` it is told of
//! holders who do not enrol.

mod authorities;
mod crl;
mod custody;
mod demonstration;
mod holders;
mod layout;
mod organisation;
mod ports;
mod processes;
mod story;
mod teller;

use std::path::Path;

use anyhow::bail;

use crate::{
    cli::{Quickstart, Wallet},
    print::Printer,
};

/// The wallets of people who enrol, in a quickstart's folder, in the order in which they do.
pub(crate) fn wallets(data: &Path) -> impl Iterator<Item = Wallet> {
    organisation::AT_A_DESK
        .people
        .iter()
        .map(move |person| layout::wallet(data, person.name))
}

pub(crate) async fn run(arguments: &Quickstart, printer: Printer) -> anyhow::Result<()> {
    let custody = custody::Custody::chosen(arguments)?;
    let demonstration = demonstration::Demonstration::chosen(arguments);
    let layout = layout::Layout::open(&arguments.data)?;
    custody.check(&layout)?;
    demonstration.keep(&layout)?;
    let shutdown = crate::processes::until_asked()?;
    let mut processes = processes::Processes::new(&layout.logs())?;
    let told = tokio::select! {
        told = story::tell(&layout, &custody, demonstration, &mut processes, printer) => Some(told),
        () = shutdown.cancelled() => None,
    };
    let Some(told) = told else {
        processes.stop().await;
        bail!(
            "interrupted; run it again to go on in {}",
            arguments.data.display()
        );
    };
    if let Err(error) = told {
        // A child that ended is the likelier cause, and says more.
        let cause = processes.check().err().unwrap_or(error);
        processes.stop().await;
        return Err(cause);
    }
    if arguments.once {
        processes.stop().await;
        return Ok(());
    }
    story::what_next(&layout, printer)?;
    let ended = loop {
        tokio::select! {
            () = shutdown.cancelled() => break Ok(()),
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => match processes.ended() {
                Ok(ended) => ended.iter().for_each(|sentence| printer.note(sentence)),
                Err(error) => break Err(error),
            },
        }
    };
    processes.stop().await;
    ended
}
