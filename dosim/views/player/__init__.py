"""The player: a run to play, step and scrub in any browser."""

from __future__ import annotations

from dosim.views.player.data import player_data
from dosim.views.player.page import Player, player, player_module

__all__ = ["Player", "player", "player_data", "player_module"]
