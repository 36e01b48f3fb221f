// A hostile world for the core, and the promises, checked after every event.
//
// The world plays clients, backends, the kernel and the shell, all from one seed: answers come
// late or never, backends die while serving, launchers die before their tree, clients never leave,
// news of past generations keeps arriving, trees survive KILL, and many things happen at exactly
// the same instant, deadlines among them. It keeps its own books of what is true and what the core
// has been told, and never asks the core what to believe.
#pragma once

#include "core/supervisor.hpp"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace tcplock::simulation {

using namespace core;

// A promise that was broken.
class Broken : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class World {
public:
    // `trace`: where every event and effect is told, or nullptr.
    World(std::uint64_t seed, std::ostream* trace);

    // One history: a hostile time, then (in some) a friendly one in which everybody must be
    // served, then the end. Throws Broken.
    void run();

    std::uint64_t events() const noexcept { return events_; }

private:
    // A generation, as it is and as the core has been told.
    struct Life {
        PlaceId place{};
        Instant born;
        bool is_standby = false;  // when it was spawned
        bool remakes_profile = false;
        std::optional<InstanceId> instance;
        std::optional<InstanceId> served_as;  // also when another has taken over
        double jitter = 0;
        // The truth.
        bool has_tree = false;
        bool has_leader = false;
        Instant answers_from = Instant::max();
        bool hangs = false;
        Instant hung_since;
        Instant computes_until;      // for clients who have gone
        bool has_leftovers = false;  // of clients who have gone
        bool ignores_term = false;
        bool survives_kill = false;
        // What the core knows.
        bool was_spawned = false;
        std::optional<Instant> answered;
        bool was_stopped = false;
        bool was_killed = false;
        bool was_quarantined = false;
        bool is_due = false;
        std::optional<Instant> requested;  // to be recycled, in its turn
        bool was_asked_again = false;      // to be recycled after its first job
        Instant left;                      // the last who was inside
        std::uint64_t jobs = 0;
        std::size_t served = 0;
        std::set<ClientId> inside;
        std::set<ClientId> uncut;
        bool is_probing = false;
        bool is_probe_stale = false;
        bool says_that_it_is_free = false;  // just now, with clients inside
        std::size_t missed = 0;             // in a row, while it had nothing to finish
        std::size_t missed_at_all = 0;      // in a row
        std::optional<Instant> unproven_since;
        Duration proof_limit{};
        bool has_been_open = false;
        bool is_aftermath_due = false;
        bool needs_preparation = false;
        bool is_preparing = false;
        Instant prepared;
        std::size_t inside_when_too_large = 0;
    };

    struct Guest {
        Instant since;    // in the line
        Instant entered;  // admitted
        Generation generation{};
        bool has_entered = false;  // reached the backend
        bool has_job = false;
        bool is_idle = false;
        bool has_left = false;
        bool is_cut = false;
        Duration limit{};            // of its session, as it was when it was admitted
        Duration paused_before{};    // when it came, for how long the gate had been paused in all
        Duration unserved_before{};  // and for how long nobody had been served
    };

    // What is known of a place's last life.
    struct Record {
        std::optional<Generation> occupant;
        std::size_t wasted = 0;  // lives in a row that were of no use
        Instant ended;
        bool was_failed_start = false;    // its last life
        std::size_t failed_in_a_row = 0;  // until clients may go in
        bool saw_fresh_exit = false;
        bool doubts_profile = false;  // its last exit said so
        bool remade_profile = false;  // since the last answer
        bool needs_aftermath = false;
        bool has_aftermath = false;
        bool has_begun_again = false;  // somebody asked, and none has succeeded or failed since
    };

    struct Due {
        Instant at;
        std::uint64_t order;  // random: what happens at one instant happens in any order
        std::function<void()> action;
        bool operator<(const Due& other) const {
            return at != other.at ? at > other.at : order > other.order;
        }
    };

    // Chance.
    bool chance(double probability);
    Duration ticks(int low, int high);
    template <class T>
    T one_of(std::initializer_list<T> choices);
    Policy make_policy();

    // The passing of time.
    void at(Duration delay, std::function<void()> action);
    void run_until(Instant end);
    void feed(const Event& event);
    void check(bool holds, const std::string& what) const;
    void tell(const std::string& line) const;

    // What the shell would do.
    void perform(const SpawnBackend& effect);
    void perform(const ProbeBackend& effect);
    void perform(const RunHook& effect);
    void perform(const AnnounceReady& effect);
    void perform(const TakeOver& effect);
    void perform(const StopBackend& effect);
    void perform(const DoubtBackend& effect);
    void perform(const KillBackend& effect);
    void perform(const QuarantinePlace& effect);
    void perform(const BackOff& effect);
    void perform(const AnnounceFailing& effect);
    void perform(const AdmitClient& effect);
    void perform(const RefuseClient& effect);
    void perform(const CutClient& effect);
    void perform(const StopListening& effect);
    void perform(const Finish& effect);

    // What happens.
    void arrive();
    void keep_arriving(Instant until);
    void come_to_life(Generation generation);
    void tree_dies(Generation generation, Exit exit);
    void probe_ends(Generation generation, ProbePurpose purpose);
    void preparation_ends(Generation generation);
    void aftermath_ends(Generation generation);
    void become_unproven(Life& life, Duration limit);
    void leader_dies(Generation generation, Exit exit);
    void clear_place(Generation generation);
    void session(ClientId client);
    void stay_outside(ClientId client);
    void begin_job(ClientId client);
    void enter(ClientId client);
    void turn_back_who_is_outside(Generation generation);
    bool is_outside(const Guest& guest) const;
    bool is_waited_for(const Life& life) const;
    std::size_t count_uncut(const Life& life) const;
    Instant to_speak_by(const Guest& guest) const;
    void become_idle(ClientId client);
    void measure_memory(Generation generation);
    std::uint64_t memory_of(Life& life, bool is_between_jobs);
    void leave(ClientId client);
    void end_session(ClientId client, SessionEnded::How how);
    void request_recycle();
    void end_pauses(std::optional<InstanceId> only);
    void change_policy();
    void obey_policy(Life& life, bool needs_fresh_backends);
    void request_cut();
    void pause(Duration how_long);
    void resume();
    Duration paused_for() const;
    Duration has_waited(const Guest& guest) const;
    void note_service();
    Duration unserved_for() const;
    void become_friendly();

    // What must hold.
    void note_quiet();
    void check_books() const;
    void check_snapshot() const;
    void check_somebody_starts();
    void check_nobody_waits_in_vain() const;
    void note_failed_start(Generation generation);
    void note_end_of_life(Generation generation, bool was_planned);
    std::optional<Instant> planned_since(const Life& life) const;
    bool may_be_open(const Life& life) const;
    bool is_worn(const Life& life) const;
    bool is_open(const Life& life) const;
    void check_turn(const Life& life, StopReason reason);
    bool has_closed() const;
    bool is_ending() const { return is_draining_ || shutdown_at_; }
    void check_proof(const Life& life, StopReason reason) const;

    std::mt19937_64 random_;
    std::ostream* trace_;
    Policy policy_;
    Supervisor core_;
    Instant now_;
    std::priority_queue<Due> agenda_;
    std::vector<Event> inbox_;
    bool is_feeding_ = false;
    std::uint64_t events_ = 0;

    double failing_starts_ = 0;  // probabilities of this history
    double failing_lives_ = 0;
    double rude_clients_ = 0;
    bool is_friendly_ = false;

    std::map<Generation, Life> lives_;
    std::map<PlaceId, Record> places_;
    std::map<ClientId, Guest> waiting_;
    std::map<ClientId, Guest> guests_;
    std::uint64_t last_client_ = 0;
    Counts counts_;
    std::size_t failed_starts_ = 0;
    bool is_listening_ = true;
    bool is_closing_ = false;
    bool is_finished_ = false;
    bool is_draining_ = false;            // told to end, in its own time
    std::optional<Instant> shutdown_at_;  // told to end, and soon
    std::optional<Instant> nothing_lives_since_;
    std::optional<Instant> postponed_;    // the last standby
    Instant last_turn_;                   // the last planned recycle
    std::optional<Instant> quiet_since_;  // nobody waits and nobody is inside
    bool is_asleep_ = false;
    std::optional<Instant> paused_since_;
    Duration paused_for_{};  // in all, but for the pause that runs
    std::optional<Instant> unserved_since_;
    Duration unserved_for_{};            // in all, but for the time that runs
    std::optional<ClientId> to_be_cut_;  // this very moment, by an operator
    Duration longest_session_{};         // that any policy so far has allowed for
    bool is_recycled_at_once_ = false;   // in this very moment
};

}  // namespace tcplock::simulation
