------------------------------- MODULE Reset -------------------------------
\* Reset and start: presses are a grow-only set with repeat counts; a clearance is a text that names
\* presses and the repeats its signers saw; it counts once Quorum people have signed that text. Texts
\* and signatures are never lost, so that any of them may come late, twice, or from somebody else.
\* Reset only permits a start; a start opens an epoch, once no earlier lease can be in force.
\* The gate checks clearances itself. With Rogue the server's key is stolen: leases are forged.
\* No clocks here: that a lease ends is an event (Lease.tla bounds it), and a lease that the server has
\* waited out reaches nobody any more.
\* Mutants: Quorum = 1; AnyText (a clearance frees what stands when it comes in, not what it names);
\* NoCount (a press repeated after the signing stays cleared); Mixes (signatures under different texts
\* are counted together); SameInc (a stop opens no new incarnation); ResetStarts (a clearance starts);
\* NoWait (a start does not wait for earlier leases); Blind (a start does not look at the presses
\* again); Trusts (the gate takes the server's word that it is cleared).
EXTENDS Naturals, FiniteSets
CONSTANTS People, MaxPress, MaxRep, MaxTexts, MaxEpoch, MaxInc, MaxNet, Quorum,
          AnyText, NoCount, Mixes, SameInc, ResetStarts, NoWait, Blind, Trusts, Rogue
VARIABLES P, rep, texts, sigs, C, started, epoch, live, net, b, heard, known, gC, lease, barred, gone, bad
server == <<P, rep, texts, sigs, C, started, epoch, live>>
gate == <<b, heard, known, gC, lease, barred>>
vars == <<P, rep, texts, sigs, C, started, epoch, live, net, b, heard, known, gC, lease, barred, gone, bad>>
Ids == 1..MaxPress
Forged == MaxEpoch + 1

Init == /\ P = {} /\ rep = [p \in Ids |-> 0] /\ texts = {} /\ sigs = {} /\ C = {}
        /\ started = TRUE /\ epoch = 1 /\ live = {} /\ net = {}
        /\ b = 1 /\ heard = {} /\ known = [p \in Ids |-> 0] /\ gC = {} /\ lease = 0 /\ barred = 0
        /\ gone = {} /\ bad = {}

\* What is true, whatever the server or the gate think: two people, each having signed for the press
\* with at least so many repeats.
Released(p, n) == Cardinality({w \in People : \E s \in sigs : s[1] = w /\ \E m \in n..MaxRep : <<p, m>> \in s[2]}) >= 2

\* What the mechanism goes by.
Covers(on, p, n) == \E m \in 0..MaxRep : <<p, m>> \in on /\ (NoCount \/ m >= n)
Standing == {p \in P : ~\E on \in C : Covers(on, p, rep[p])}
Signers(t) == {w \in People : \E s \in sigs : s[1] = w /\ (s[2] = t \/ (Mixes /\ s[2] \cap t # {}))}
Latched == {p \in heard : ~\E on \in gC : Covers(on, p, known[p])}

\* People. A press that stands is counted when it comes again.
Press(p) == /\ p \notin P /\ (p = 1 \/ p - 1 \in P) /\ P' = P \cup {p}
            /\ started' = FALSE
            /\ UNCHANGED <<rep, texts, sigs, C, epoch, live, net, gone, bad>> /\ UNCHANGED gate
Repeat(p) == /\ p \in P /\ rep[p] < MaxRep /\ rep' = [rep EXCEPT ![p] = @ + 1] /\ started' = FALSE
             /\ UNCHANGED <<P, texts, sigs, C, epoch, live, net, gone, bad>> /\ UNCHANGED gate
Draft == /\ Cardinality(texts) < MaxTexts
         /\ \E chosen \in SUBSET Standing : chosen # {} /\ texts' = texts \cup {{<<p, rep[p]>> : p \in chosen}}
         /\ UNCHANGED <<P, rep, sigs, C, started, epoch, live, net, gone, bad>> /\ UNCHANGED gate
Sign(w) == /\ \E t \in texts : sigs' = sigs \cup {<<w, t>>}
           /\ UNCHANGED <<P, rep, texts, C, started, epoch, live, net, gone, bad>> /\ UNCHANGED gate
Clear == /\ \E t \in texts : Cardinality(Signers(t)) >= Quorum
              /\ C' = C \cup {IF AnyText THEN {<<p, rep[p]>> : p \in P} ELSE t}
         /\ started' = (IF ResetStarts THEN TRUE ELSE started)
         /\ epoch' = (IF ResetStarts /\ epoch < MaxEpoch THEN epoch + 1 ELSE epoch)
         /\ bad' = bad \cup (IF ResetStarts /\ ~started THEN {"nobody started it"} ELSE {})
         /\ UNCHANGED <<P, rep, texts, sigs, live, net, gone>> /\ UNCHANGED gate
Start == /\ ~started /\ epoch < MaxEpoch /\ (Blind \/ Standing = {}) /\ (NoWait \/ live = {})
         /\ started' = TRUE /\ epoch' = epoch + 1
         /\ bad' = bad \cup (IF \E p \in P : ~Released(p, rep[p]) THEN {"started under a press"} ELSE {})
         /\ UNCHANGED <<P, rep, texts, sigs, C, live, net, gone>> /\ UNCHANGED gate

\* Server and gate.
Ask == /\ Cardinality(net) < MaxNet /\ net' = net \cup {[t |-> "req", b |-> b, e |-> 0]}
       /\ UNCHANGED <<gone, bad>> /\ UNCHANGED server /\ UNCHANGED gate
Grant == /\ started /\ (Blind \/ Standing = {})
         /\ \E m \in net : /\ m.t = "req" /\ live \subseteq {m.b}
                           /\ net' = (net \ {m}) \cup {[t |-> "lease", b |-> m.b, e |-> epoch]}
                           /\ live' = live \cup {m.b}
         /\ bad' = bad \cup (IF \E p \in P : ~Released(p, rep[p]) THEN {"granted under a press"} ELSE {})
         /\ UNCHANGED <<P, rep, texts, sigs, C, started, epoch, gone>> /\ UNCHANGED gate
Forge == /\ Rogue /\ Cardinality(net) < MaxNet /\ net' = net \cup {[t |-> "lease", b |-> b, e |-> Forged]}
         /\ UNCHANGED <<gone, bad>> /\ UNCHANGED server /\ UNCHANGED gate
Lose == /\ \E m \in net : net' = net \ {m}
        /\ UNCHANGED <<gone, bad>> /\ UNCHANGED server /\ UNCHANGED gate
Receive == /\ \E m \in net : /\ m.t = "lease" /\ m.b = b /\ m.e > barred /\ Latched = {}
                             /\ lease' = m.e
                             /\ \E keep \in BOOLEAN : net' = (IF keep THEN net ELSE net \ {m})
           /\ UNCHANGED <<b, heard, known, gC, barred, gone, bad>> /\ UNCHANGED server
\* A pushed stop: the gate closes, bars the epoch of its lease, and acknowledges. Every lease granted
\* until now is ended by that, also one that is still on its way.
Stop == /\ Standing # {} /\ (Standing \ heard # {} \/ \E p \in Standing : rep[p] > known[p] \/ lease # 0)
        /\ heard' = heard \cup Standing /\ known' = [p \in Ids |-> IF p \in Standing THEN rep[p] ELSE known[p]]
        /\ barred' = (IF lease \in 1..MaxEpoch /\ lease > barred THEN lease ELSE barred)
        /\ lease' = 0 /\ (SameInc \/ b < MaxInc) /\ b' = (IF SameInc THEN b ELSE b + 1)
        /\ gone' = gone \cup (1..epoch)
        /\ live' = live \ {b}
        /\ UNCHANGED <<P, rep, texts, sigs, C, started, epoch, net, gC, bad>>
\* The clearances that a refusal brings; a thief brings what was ever signed, and what was not.
Hear == /\ \/ \E on \in C : gC' = gC \cup {on}
           \/ Trusts /\ Rogue /\ gC' = gC \cup {{<<p, known[p]>> : p \in heard}}
           \/ Rogue /\ \E t \in texts : Cardinality(Signers(t)) >= Quorum /\ gC' = gC \cup {t}
        /\ UNCHANGED <<net, b, heard, known, lease, barred, gone, bad>> /\ UNCHANGED server
\* A lease that runs out ends the incarnation, and the server knows when that must have been.
Expire == /\ lease # 0 /\ (SameInc \/ b < MaxInc) /\ lease' = 0 /\ b' = (IF SameInc THEN b ELSE b + 1)
          /\ UNCHANGED <<net, heard, known, gC, barred, gone, bad>> /\ UNCHANGED server
Settle == /\ \E a \in live : /\ ~(a = b /\ lease # 0) /\ live' = live \ {a}
                             /\ net' = {m \in net : ~(m.t = "lease" /\ m.b = a /\ m.e <= MaxEpoch)}
          /\ UNCHANGED <<P, rep, texts, sigs, C, started, epoch, gone, bad>> /\ UNCHANGED gate
\* A restarted gate remembers its latch, what it barred, and no lease.
Restart == /\ b < MaxInc /\ b' = b + 1 /\ lease' = 0
           /\ UNCHANGED <<net, heard, known, gC, barred, gone, bad>> /\ UNCHANGED server
Act == /\ lease # 0
       /\ bad' = bad
            \cup (IF \E p \in heard : ~Released(p, known[p]) THEN {"acts under a press it heard"} ELSE {})
            \cup (IF lease \in gone THEN {"acts on a lease that a stop ended"} ELSE {})
            \cup (IF lease < epoch THEN {"acts on the epoch before the newest start"} ELSE {})
       /\ UNCHANGED <<net, gone>> /\ UNCHANGED server /\ UNCHANGED gate

Next == \/ \E p \in Ids : Press(p) \/ Repeat(p)
        \/ \E w \in People : Sign(w)
        \/ Draft \/ Clear \/ Start \/ Ask \/ Grant \/ Forge \/ Lose \/ Receive \/ Stop \/ Hear
        \/ Expire \/ Settle \/ Restart \/ Act
Spec == Init /\ [][Next]_vars
Safe == bad = {}
=============================================================================
