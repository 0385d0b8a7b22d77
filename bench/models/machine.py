"""How busy the machine was with other things: load, CPU time of others, time stolen by the hypervisor (Linux)."""

import os
import resource


class Watch:
    def __init__(self):
        self._begin = self._read()
        self._load = os.getloadavg()[0]

    @staticmethod
    def _read():
        with open("/proc/stat") as file:
            fields = [int(f) for f in file.readline().split()[1:9]]
        user, nice, system, idle, iowait, irq, softirq, steal = fields
        own = sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
        tick = os.sysconf("SC_CLK_TCK")
        return {"busy": (user + nice + system + irq + softirq) / tick, "all": sum(fields) / tick,
                "steal": steal / tick, "own": own}

    def report(self):
        """Shares of all CPU time since the start, and whether the machine can be called idle but for us."""
        spent = {k: v - self._begin[k] for k, v in self._read().items()}
        total = max(spent["all"], 1e-9)
        others = max(0.0, spent["busy"] - spent["own"]) / total
        steal = spent["steal"] / total
        return {"load_before": self._load, "load_after": os.getloadavg()[0], "others_share": round(others, 4),
                "steal_share": round(steal, 4), "idle": others < 0.05 and steal < 0.02}
