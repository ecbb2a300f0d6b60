"""Walls around a sheet: what it may write, reach and see, by what the kernel offers unprivileged.

A leaf: it knows nothing of jobs, workers or configuration, and needs only the standard library.

    asked        what a score, a sheet, an instrument, a conductor restricts; the stricter of two
    probe        tries each means on this machine, in a process of its own
    offers       what the probe found, in words: what is there, or why not and how to get it
    standing     what is asked + what is offered -> which means are used, or what is missing
    blueprint    the paths of one attempt, and the means, as plain data
    room         the namespaces of an attempt, held open by a process that dies with its maker
    covers       its empty directories for temporary files, cleared for who comes next
    landlock     rules for the calling thread
    cgroups      what ends all of a sheet, and bounds what it uses: control groups (cgroup_place,
                 group_pool, group_spawn, group_offer, bounds)
    entering     the calling thread goes behind its walls, and never comes back
"""
