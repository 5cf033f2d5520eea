"""What is asked of a page: serious faults for those who can't see or hear it, and players that play."""

from __future__ import annotations

from typing import Any

#: Wait for the metadata of every player of the page, and say how long each is.
DURATIONS = """async () => {
  const lengths = []
  for (const player of document.querySelectorAll('audio')) {
    player.preload = 'metadata'
    if (player.readyState < 1) {
      await new Promise(resolve => {
        for (const told of ['loadedmetadata', 'error']) player.addEventListener(told, resolve)
        player.load()
        setTimeout(resolve, 20000)
      })
    }
    lengths.push(Number.isFinite(player.duration) ? player.duration : -1)
  }
  return lengths
}"""
#: Play all players in turn; how many sound after each.
PLAYING = """async () => {
  const counts = []
  const players = [...document.querySelectorAll('audio')]
  for (const player of players) {
    await player.play()
    const playing = () => players.filter(one => !one.paused).length
    for (let tries = 0; tries < 40 && playing() > 1; tries++)  // a busy machine takes its time to pause the others
      await new Promise(resolve => setTimeout(resolve, 50))
    counts.push(playing())
  }
  players.forEach(one => one.pause())
  return counts
}"""


def serious_faults(page: Any, *within: str) -> list[str]:
    """What axe-core finds in these parts of the page (all of it if none) that is serious or critical."""
    from axe_playwright_python.sync_playwright import Axe  # the browser that made the page had it imported

    context = {"include": [[selector] for selector in within]} if within else None
    found = Axe().run(page, context=context, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{fault['id']} ({fault['impact']}): {fault['help']}: {len(fault['nodes'])} times, {node['html'][:200]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"][:1]
    ]


def durations(page: Any) -> list[float]:
    """Seconds of every player of the page; -1 for one that can't play."""
    return page.evaluate(DURATIONS)


def playing_at_once(page: Any) -> int:
    """How many players of the page sound at once, at most, when each is started after the other."""
    return max(page.evaluate(PLAYING))
