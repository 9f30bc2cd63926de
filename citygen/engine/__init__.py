"""Where tile jobs run: in this process, or in a pool of spawned ones under a supervisor."""
