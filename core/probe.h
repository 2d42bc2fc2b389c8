/* SPDX-License-Identifier: MIT */
/* Probes for bpftrace, perf and SystemTap, made by `configure --enable-usdt`; nothing at all without it. doc/using.md
 * has their list and the meaning of what they carry.
 *
 * A probe is an instruction that does nothing, and a note that says where it is. What it costs is to gather what it
 * tells: therefore each has a semaphore, a number that whoever watches raises, and is asked first:
 *      if (ri_probe_on(op_start))
 *              ri_probe_op_start(...); */
#ifndef RI_PROBE_H
#define RI_PROBE_H

#include <stdbool.h>

#include <config.h>

#ifdef ROMA_WITH_USDT

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

/* The names are those that sdt.h expects: PROVIDER_PROBE_semaphore. */
#define RI_PROBE_SEMAPHORE(probe) \
        unsigned short roma_##probe##_semaphore __attribute__((section(".probes"), visibility("hidden")))

extern RI_PROBE_SEMAPHORE(op_start);
extern RI_PROBE_SEMAPHORE(op_end);
extern RI_PROBE_SEMAPHORE(phase_start);
extern RI_PROBE_SEMAPHORE(phase_end);

/* Read each time: it is the kernel that writes it. */
#define ri_probe_on(probe) __builtin_expect(*(volatile unsigned short *)&roma_##probe##_semaphore, 0)

/* Whoever watches reads a string inside the kernel, where no page can be waited for: what this process has not looked at
 * yet, as a name in a module that was just loaded, would be empty there. So it is looked at, to its end. */
static inline const char *ri_probe_text(const char *text)
{
        const volatile char *p = text ? text : (text = "");

        while (*p)
                p++;
        return text;
}

#define ri_probe_op_start(id, name, object) \
        STAP_PROBE3(roma, op_start, id, ri_probe_text(name), ri_probe_text(object))
#define ri_probe_op_end(id, name, code, bytes, ns, parent) \
        STAP_PROBE6(roma, op_end, id, ri_probe_text(name), code, bytes, ns, parent)
#define ri_probe_phase_start(id, phase) STAP_PROBE2(roma, phase_start, id, ri_probe_text(phase))
#define ri_probe_phase_end(id, phase, server, ns, bytes, code) \
        STAP_PROBE6(roma, phase_end, id, ri_probe_text(phase), ri_probe_text(server), ns, bytes, code)

#else

/* The arguments are looked at by the compiler, and never evaluated. */
#define ri_probe_on(probe)                  false
#define ri_probe_op_start(id, name, object) ((void)(id), (void)(name), (void)(object))
#define ri_probe_op_end(id, name, code, bytes, ns, parent) \
        ((void)(id), (void)(name), (void)(code), (void)(bytes), (void)(ns), (void)(parent))
#define ri_probe_phase_start(id, phase) ((void)(id), (void)(phase))
#define ri_probe_phase_end(id, phase, server, ns, bytes, code) \
        ((void)(id), (void)(phase), (void)(server), (void)(ns), (void)(bytes), (void)(code))

#endif

#endif
