------------------------------- MODULE Flight -------------------------------
\* The lease of Lease.tla with work in flight: an action begins under a lease, may take effect at any
\* time until it ends, and a stop drains, kills after D, and only then acknowledges.
\* Time: in every tick of real time a gate's clock advances 1 or 2 units, so L units are at most L ticks.
\* A gate that ticks in time is assumed: time does not pass while one has to notice its expiry or to kill
\* (kappa = 0). EarlyAck and LazyKill drop one duty each.
EXTENDS Naturals, FiniteSets
CONSTANTS G, L, D, MaxT, MaxMsgs, MaxInc, EarlyAck, LazyKill, None
VARIABLES now, pressAt, msgs, clk, exp, phase, inc, work, due, acked, bad
vars == <<now, pressAt, msgs, clk, exp, phase, inc, work, due, acked, bad>>

Init == /\ now = 0 /\ pressAt = None /\ msgs = {} /\ acked = {} /\ bad = {}
        /\ clk = [g \in G |-> 0] /\ exp = [g \in G |-> 0] /\ inc = [g \in G |-> 0]
        /\ phase = [g \in G |-> "open"] /\ work = [g \in G |-> FALSE] /\ due = [g \in G |-> 0]

\* Duties that the gate's host fulfils before time goes on.
MustStop(g) == phase[g] = "open" /\ work[g] /\ clk[g] >= exp[g]
MustKill(g) == phase[g] = "stopping" /\ work[g] /\ clk[g] >= due[g]

Tick == /\ now < MaxT /\ \A g \in G : ~MustStop(g) /\ (LazyKill \/ ~MustKill(g))
        /\ now' = now + 1
        /\ \E d \in [G -> {1, 2}] : clk' = [g \in G |-> clk[g] + d[g]]
        /\ UNCHANGED <<pressAt, msgs, exp, phase, inc, work, due, acked, bad>>
Ask(g) == /\ phase[g] = "open" /\ Cardinality(msgs) < MaxMsgs
          /\ msgs' = msgs \cup {[t |-> "req", g |-> g, s |-> clk[g], i |-> inc[g]]}
          /\ UNCHANGED <<now, pressAt, clk, exp, phase, inc, work, due, acked, bad>>
Grant == /\ pressAt = None
         /\ \E m \in msgs : m.t = "req" /\ msgs' = (msgs \ {m}) \cup {[m EXCEPT !.t = "lease"]}
         /\ UNCHANGED <<now, pressAt, clk, exp, phase, inc, work, due, acked, bad>>
Receive == /\ \E m \in msgs : /\ m.t = "lease" /\ m.i = inc[m.g] /\ phase[m.g] = "open"
                             /\ exp' = [exp EXCEPT ![m.g] = IF m.s + L > @ THEN m.s + L ELSE @]
                             /\ \E keep \in BOOLEAN : msgs' = (IF keep THEN msgs ELSE msgs \ {m})
           /\ UNCHANGED <<now, pressAt, clk, phase, inc, work, due, acked, bad>>
Lose == /\ \E m \in msgs : msgs' = msgs \ {m}
        /\ UNCHANGED <<now, pressAt, clk, exp, phase, inc, work, due, acked, bad>>
Press == /\ pressAt = None /\ pressAt' = now
         /\ UNCHANGED <<now, msgs, clk, exp, phase, inc, work, due, acked, bad>>

\* By a stop that arrives, or by expiry: no more beginnings, and D to drain.
Stop(g) == /\ phase[g] = "open" /\ (pressAt # None \/ clk[g] >= exp[g])
           /\ phase' = [phase EXCEPT ![g] = "stopping"] /\ due' = [due EXCEPT ![g] = clk[g] + D]
           /\ UNCHANGED <<now, pressAt, msgs, clk, exp, inc, work, acked, bad>>
Kill(g) == /\ MustKill(g) /\ work' = [work EXCEPT ![g] = FALSE]
           /\ UNCHANGED <<now, pressAt, msgs, clk, exp, phase, inc, due, acked, bad>>
Ack(g) == /\ phase[g] = "stopping" /\ (EarlyAck \/ ~work[g])
          /\ phase' = [phase EXCEPT ![g] = "stopped"] /\ acked' = acked \cup {<<g, inc[g]>>}
          /\ UNCHANGED <<now, pressAt, msgs, clk, exp, inc, work, due, bad>>
\* The next incarnation, after a stop or a crash that takes the work with it.
Reopen(g) == /\ inc[g] < MaxInc /\ inc' = [inc EXCEPT ![g] = @ + 1]
             /\ phase[g] = "stopped" => ~work[g]
             /\ phase' = [phase EXCEPT ![g] = "open"] /\ exp' = [exp EXCEPT ![g] = 0]
             /\ clk' = [clk EXCEPT ![g] = 0] /\ work' = [work EXCEPT ![g] = FALSE]
             /\ UNCHANGED <<now, pressAt, msgs, due, acked, bad>>

Begin(g) == /\ phase[g] = "open" /\ clk[g] < exp[g] /\ ~work[g] /\ work' = [work EXCEPT ![g] = TRUE]
            /\ bad' = bad \cup (IF pressAt # None /\ now > pressAt + L THEN {"begins late"} ELSE {})
            /\ UNCHANGED <<now, pressAt, msgs, clk, exp, phase, inc, due, acked>>
Effect(g) == /\ work[g]
             /\ bad' = bad \cup (IF <<g, inc[g]>> \in acked THEN {"effect after ack"} ELSE {})
                   \cup (IF pressAt # None /\ now > pressAt + L + D THEN {"late effect"} ELSE {})
             /\ UNCHANGED <<now, pressAt, msgs, clk, exp, phase, inc, work, due, acked>>
End(g) == /\ work[g] /\ work' = [work EXCEPT ![g] = FALSE]
          /\ UNCHANGED <<now, pressAt, msgs, clk, exp, phase, inc, due, acked, bad>>

Next == \/ Tick \/ Grant \/ Receive \/ Lose \/ Press
        \/ \E g \in G : Ask(g) \/ Stop(g) \/ Kill(g) \/ Ack(g) \/ Reopen(g) \/ Begin(g) \/ Effect(g) \/ End(g)
Spec == Init /\ [][Next]_vars
Safe == bad = {}
=============================================================================
